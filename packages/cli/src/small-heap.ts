import { setFlagsFromString } from 'node:v8';

/**
 * Lets the engine collect garbage sooner than it would: for commands that move gigabytes through buffers of their own and
 * make little else. Without it the heap grows by 30 MiB for objects that are long dead; with it 10,000 small files take a
 * third longer.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--optimize-for-size');
}

import { setFlagsFromString } from 'node:v8';

/**
 * Lets the engine collect garbage sooner than it would: for commands that move gigabytes through buffers of their own and
 * make little else. Without it the heap grows by 30 MiB for objects that are long dead; with it 10,000 small files take a
 * third longer.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--optimize-for-size');
}

/**
 * Keeps the part of the heap for new objects at its first size, and lets one thread look through it: for commands that
 * make many objects which die soon, while other threads hash. A push of 10,000 small files takes 30 MiB less and no
 * more time.
 */
export function keepYoungSmall(): void {
  setFlagsFromString('--no-parallel-scavenge');
  setFlagsFromString('--semi-space-growth-factor=1');
}

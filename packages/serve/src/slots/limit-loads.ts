import type { LoadVersion } from './slot.ts';

/** Lets at most `atOnce` versions load at the same time; the others wait in order. */
export function limitLoads(load: LoadVersion, atOnce: number): LoadVersion {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (resolved, signal) => {
    while (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await load(resolved, signal);
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}

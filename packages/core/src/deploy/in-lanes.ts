import { openSignal } from '../open-signal.ts';

/** Works on some things, a few at a time, and gives results in their order. The first failure ends the others and is thrown. */
export async function inLanes<T, R>(
  things: readonly T[],
  lanes: number,
  work: (thing: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const ended = openSignal(signal);
  const results: R[] = [];
  const left = things.entries();
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    for (const [n, thing] of left) {
      if (failure !== undefined) return;
      try {
        results[n] = await work(thing, ended.signal);
      } catch (error) {
        failure ??= { error };
        ended.end();
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failure !== undefined) throw failure.error;
  return results;
}

/** Waits for work that must move; `onStall` ends it when it does not within `ms`. */
export async function movingWithin<T>(work: Promise<T>, ms: number, onStall: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onStall()), ms);
  });
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearTimeout(timer);
    // Whichever lost the race is nobody's business any more.
    work.catch(() => {});
    stalled.catch(() => {});
  }
}

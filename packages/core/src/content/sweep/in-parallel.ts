/** Works on items with a fixed number of hands; the first failure ends it, after the work in hand. */
export async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  hands: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failed = false;
  const hand = async (): Promise<void> => {
    while (!failed) {
      const next = await iterator.next();
      if (next.done === true) return;
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: hands }, hand));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

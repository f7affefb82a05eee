/**
 * A *trial* does something terrible to stores and counts what became of them. It gives *figures*, for docs/reliability.md,
 * and *failures*: one line for each promise that was broken. Every trial has a short form, which runs with the tests, and
 * a full one.
 */

/** How a trial is run. */
export interface TrialOptions {
  /** The full form; default: the short one. */
  readonly full: boolean;
  /** Decides what is chosen at random. */
  readonly seed: number;
  /** Is told how it goes. */
  readonly say: (line: string) => void;
}

/** What a trial counted. */
export interface Outcome {
  readonly figures: Readonly<Record<string, number | string>>;
  /** Promises that were broken, each with enough to see it again. */
  readonly failures: readonly string[];
  /** Parts that could not be tried on this machine, and why. */
  readonly skipped: readonly string[];
}

/** A named trial. */
export interface Trial {
  readonly name: string;
  /** What it does, in one line. */
  readonly about: string;
  /** Whether it runs only when somebody asks for it, because its short form takes too long for the tests. Default: false. */
  readonly byHand?: boolean;
  run(options: TrialOptions): Promise<Outcome>;
}

/** Chooses one of several. */
export function oneOf<T>(items: readonly [T, ...T[]], random: () => number): T {
  return items[Math.floor(random() * items.length)] ?? items[0];
}

/** Does work for each item, a few at once. */
export async function eachOf<T>(items: Iterable<T>, atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Counts occurrences by name. */
export function countOf(names: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Chooses some of many, one of each part, so that early and late ones are met. */
export function sampled<T>(items: readonly T[], many: number, random: () => number): T[] {
  if (items.length <= many) return [...items];
  return Array.from({ length: many }, (_, part) => items[Math.floor(((part + random()) * items.length) / many)]).filter(
    (item) => item !== undefined,
  );
}

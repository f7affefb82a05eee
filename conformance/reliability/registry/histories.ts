import type { Operation, Sequential } from './linearizable.ts';

/** What is asked of an alias: `expected` null means that it names nothing, undefined that it does not matter. */
export type AliasAction =
  | { readonly kind: 'read' }
  | { readonly kind: 'set'; readonly to: number; readonly expected?: number | null };

/** What an alias answered: what it names, or where a move came from, or that it was somewhere else. */
export type AliasAnswer =
  | { readonly kind: 'value'; readonly value: number | null }
  | { readonly kind: 'moved'; readonly from: number | null }
  | { readonly kind: 'conflict' };

/** An alias as one client alone would see it: a register with compare-and-set. */
export const ALIAS: Sequential<number | null, AliasAction, AliasAnswer> = {
  initial: null,
  key: String,
  step(state, action, answer) {
    if (action.kind === 'read') {
      return answer === undefined || (answer.kind === 'value' && answer.value === state) ? state : undefined;
    }
    const meets = action.expected === undefined || action.expected === state;
    if (answer === undefined) return meets ? action.to : state;
    if (answer.kind === 'conflict') return meets ? undefined : state;
    return meets && answer.kind === 'moved' && answer.from === state ? action.to : undefined;
  },
};

/** Publishing gives the next number; reading gives the newest. */
export type NumberAction = 'publish' | 'read';

/** The numbers of a model as one client alone would see them: a counter. */
export const NUMBERS: Sequential<number, NumberAction, number> = {
  initial: 0,
  key: String,
  step(state, action, answer) {
    const after = action === 'publish' ? state + 1 : state;
    return answer === undefined || answer === after ? after : undefined;
  },
};

/** Records operations with the times of one clock. */
export class History<Action, Answer> {
  readonly operations: Operation<Action, Answer>[] = [];
  readonly #clock: () => number;

  /** @param clock never gives the same number twice. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Does something and records it; undefined: no answer came. */
  async record(action: Action, act: () => Promise<Answer | undefined>): Promise<Answer | undefined> {
    const calledAt = this.#clock();
    const answer = await act();
    if (answer === undefined) this.operations.push({ action, calledAt, returnedAt: Number.POSITIVE_INFINITY });
    else this.operations.push({ action, answer, calledAt, returnedAt: this.#clock() });
    return answer;
  }
}

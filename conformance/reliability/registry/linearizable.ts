/**
 * Says whether a recorded history is *linearizable*: whether all operations can be put in one order in which each comes
 * between its call and its return, and in which one client alone would have got the same answers (Wing and Gong 1993,
 * with the memory of Lowe 2017).
 */

/** One operation of a history. Times are of one clock; no two are the same. */
export interface Operation<Action, Answer> {
  readonly action: Action;
  /** Undefined: no answer came, so it may have happened at any time since, or not at all. */
  readonly answer?: Answer;
  readonly calledAt: number;
  /** Infinity where no answer came. */
  readonly returnedAt: number;
}

/** What a thing does when one client uses it at a time. */
export interface Sequential<State, Action, Answer> {
  readonly initial: State;
  /** The state afterwards; undefined: it would not have answered so. Without an answer: whatever it would do. */
  step(state: State, action: Action, answer: Answer | undefined): State | undefined;
  /** The same text for the same state. */
  key(state: State): string;
}

interface Entry<Action, Answer> {
  readonly operation: Operation<Action, Answer>;
  readonly number: number;
  /** Which end of the operation this is. */
  readonly isCall: boolean;
  previous: Entry<Action, Answer> | undefined;
  next: Entry<Action, Answer> | undefined;
  /** Of a call: its return. */
  ending: Entry<Action, Answer> | undefined;
}

interface Taken<State, Action, Answer> {
  readonly entry: Entry<Action, Answer>;
  readonly before: State;
  /** Whether it left the state alone. Whatever can be taken without changing anything may as well be taken first. */
  readonly isPure: boolean;
}

/** Whether the history of one thing is linearizable. */
export function isLinearizable<State, Action, Answer>(
  history: readonly Operation<Action, Answer>[],
  model: Sequential<State, Action, Answer>,
): boolean {
  const head = entriesOf(history);
  const twins = earlierTwins(history);
  const answered = history.filter(({ answer }) => answer !== undefined).length;
  const seen = new Set<string>();
  const taken: Taken<State, Action, Answer>[] = [];
  let [state, done, doneAnswered] = [model.initial, 0n, 0];
  let entry = head.next;
  while (doneAnswered < answered) {
    if (entry?.isCall === true) {
      const { action, answer } = entry.operation;
      // Of several alike without answers, one is as good as the other: the first is taken first.
      const twin = twins[entry.number];
      const isTurn = twin === undefined || (done & (1n << BigInt(twin))) !== 0n;
      const after = isTurn ? model.step(state, action, answer) : undefined;
      const bits: bigint = done | (1n << BigInt(entry.number));
      if (after !== undefined && isNew(seen, `${bits.toString(36)} ${model.key(after)}`)) {
        taken.push({ entry, before: state, isPure: answer !== undefined && model.key(after) === model.key(state) });
        [state, done] = [after, bits];
        if (answer !== undefined) doneAnswered += 1;
        lift(entry);
        entry = head.next;
      } else entry = entry.next;
      continue;
    }
    // A return that was not reached, or nothing more to try: the last choice was wrong.
    for (let wasPure = true; wasPure; ) {
      const last = taken.pop();
      if (last === undefined) return false;
      state = last.before;
      done &= ~(1n << BigInt(last.entry.number));
      if (last.entry.operation.answer !== undefined) doneAnswered -= 1;
      unlift(last.entry);
      entry = last.entry.next;
      wasPure = last.isPure;
    }
  }
  return true;
}

/** Of each operation without an answer: the last one before it that asks the same and has none either. */
function earlierTwins<Action, Answer>(history: readonly Operation<Action, Answer>[]): (number | undefined)[] {
  const twins: (number | undefined)[] = [];
  const last = new Map<string, number>();
  const lost = [...history.entries()].filter(([, { answer }]) => answer === undefined);
  for (const [number, { action }] of lost.sort(([, a], [, b]) => a.calledAt - b.calledAt)) {
    const key = JSON.stringify(action);
    twins[number] = last.get(key);
    last.set(key, number);
  }
  return twins;
}

function isNew(seen: Set<string>, key: string): boolean {
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

/** Calls and returns in the order of time, behind a head that is neither. */
function entriesOf<Action, Answer>(history: readonly Operation<Action, Answer>[]): Entry<Action, Answer> {
  const links = { previous: undefined, next: undefined };
  const timed = history.flatMap((operation, number) => {
    const ending: Entry<Action, Answer> = { operation, number, isCall: false, ending: undefined, ...links };
    const call: Entry<Action, Answer> = { operation, number, isCall: true, ending, ...links };
    return [
      { at: operation.calledAt, entry: call },
      { at: operation.returnedAt, entry: ending },
    ];
  });
  timed.sort((a, b) => (a.at === b.at ? 0 : a.at - b.at));
  const first = timed[0]?.entry;
  if (first === undefined) throw new RangeError('an empty history has nothing to check');
  const head: Entry<Action, Answer> = { ...first, isCall: false, ...links };
  let last = head;
  for (const { entry } of timed) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

function lift<Action, Answer>(call: Entry<Action, Answer>): void {
  for (const entry of [call, call.ending]) {
    if (entry?.previous !== undefined) entry.previous.next = entry.next;
    if (entry?.next !== undefined) entry.next.previous = entry.previous;
  }
}

function unlift<Action, Answer>(call: Entry<Action, Answer>): void {
  for (const entry of [call.ending, call]) {
    if (entry?.previous !== undefined) entry.previous.next = entry;
    if (entry?.next !== undefined) entry.next.previous = entry;
  }
}

import { randomOf } from '@ingot/core/seeded-random';
import { describe, expect, test } from 'vitest';
import { ALIAS, type AliasAction, type AliasAnswer, NUMBERS } from './histories.ts';
import { isLinearizable, type Operation } from './linearizable.ts';
import { areMovesExplained } from './lost-moves.ts';

type Move = Operation<AliasAction, AliasAnswer>;

const NEVER = Number.POSITIVE_INFINITY;
const set = (to: number, [calledAt, returnedAt]: [number, number], from: number | null): Move => ({
  action: { kind: 'set', to },
  answer: { kind: 'moved', from },
  calledAt,
  returnedAt,
});
const read = (value: number | null, [calledAt, returnedAt]: [number, number]): Move => ({
  action: { kind: 'read' },
  answer: { kind: 'value', value },
  calledAt,
  returnedAt,
});

describe('the checker of histories', () => {
  test('takes what overlaps in the order that explains the answers', () => {
    expect(isLinearizable([set(1, [1, 6], 2), set(2, [2, 5], null), read(2, [3, 4])], ALIAS)).toBe(true);
  });

  test('finds a read of what was replaced before it began', () => {
    expect(isLinearizable([set(1, [1, 2], null), set(2, [3, 4], 1), read(1, [5, 6])], ALIAS)).toBe(false);
  });

  test('finds two moves from the same place', () => {
    expect(isLinearizable([set(1, [1, 2], null), set(2, [3, 6], 1), set(3, [4, 5], 1)], ALIAS)).toBe(false);
  });

  test('finds a conflict where there was none', () => {
    const conflict: Move = {
      action: { kind: 'set', to: 2, expected: 1 },
      answer: { kind: 'conflict' },
      calledAt: 3,
      returnedAt: 4,
    };
    expect(isLinearizable([set(1, [1, 2], null), conflict], ALIAS)).toBe(false);
  });

  test('lets what was not answered have happened, or not', () => {
    const lost: Move = { action: { kind: 'set', to: 7 }, calledAt: 3, returnedAt: NEVER };
    const first = set(1, [1, 2], null);
    expect(isLinearizable([first, lost, read(7, [5, 6])], ALIAS)).toBe(true);
    expect(isLinearizable([first, lost, read(1, [5, 6])], ALIAS)).toBe(true);
    expect(isLinearizable([first, lost, read(7, [5, 6]), read(1, [7, 8])], ALIAS)).toBe(false);
  });

  test('takes many that were not answered, alike or not, and still finds what none of them explains', () => {
    const lost = Array.from({ length: 40 }, (_, at) => ({
      action: 'publish' as const,
      calledAt: 2 + at / 100,
      returnedAt: NEVER,
    }));
    const publish = (answer: number, calledAt: number) =>
      ({ action: 'publish', answer, calledAt, returnedAt: calledAt + 0.5 }) as const;
    expect(isLinearizable([publish(1, 1), ...lost, publish(30, 5), publish(43, 6)], NUMBERS)).toBe(true);
    expect(isLinearizable([publish(1, 1), ...lost, publish(30, 5), publish(44, 6)], NUMBERS)).toBe(false);
  });

  test('finds a number given twice, one left out, and one that goes back', () => {
    const publish = (answer: number, calledAt: number) =>
      ({ action: 'publish', answer, calledAt, returnedAt: calledAt + 5.5 }) as const;
    expect(isLinearizable([publish(2, 1), publish(1, 2)], NUMBERS)).toBe(true);
    expect(isLinearizable([publish(1, 1), publish(1, 2)], NUMBERS)).toBe(false);
    expect(isLinearizable([publish(1, 1), publish(3, 2)], NUMBERS)).toBe(false);
    expect(isLinearizable([publish(2, 1), publish(1, 20)], NUMBERS)).toBe(false);
  });

  test('takes 400 operations of 32 clients of a real register, and none of them changed', () => {
    const history = historyOf(32, 400, randomOf(3));
    expect(isLinearizable(history, ALIAS)).toBe(true);
    const stale = history.findIndex(({ answer }, at) => at > 200 && answer?.kind === 'value');
    const changed = history.map((move, at) =>
      at === stale ? { ...move, answer: { kind: 'value' as const, value: -1 } } : move,
    );
    expect(isLinearizable(changed, ALIAS)).toBe(false);
  });
});

/** Plays clients whose operations happen at one moment between call and return. */
function historyOf(clients: number, count: number, random: () => number): Move[] {
  const free = Array.from({ length: clients }, () => 0);
  const planned = Array.from({ length: count }, (_, at) => {
    const client = at % clients;
    const calledAt = (free[client] ?? 0) + random();
    const happensAt = calledAt + random();
    const returnedAt = happensAt + random();
    free[client] = returnedAt;
    return { calledAt, happensAt, returnedAt, isRead: random() < 0.5, to: at };
  });
  let value: number | null = null;
  return planned
    .sort((a, b) => a.happensAt - b.happensAt)
    .map(({ calledAt, returnedAt, isRead, to }) => {
      if (isRead) return read(value, [calledAt, returnedAt]);
      const move = set(to, [calledAt, returnedAt], value);
      value = to;
      return move;
    });
}

describe('the judge of moves of which some were not answered', () => {
  const lost = (to: number, calledAt: number): Move => ({ action: { kind: 'set', to }, calledAt, returnedAt: NEVER });
  const refused = (expected: number, to: number, [calledAt, returnedAt]: [number, number]): Move => ({
    action: { kind: 'set', to, expected },
    answer: { kind: 'conflict' },
    calledAt,
    returnedAt,
  });

  test('takes a refusal by one that another covered before anybody saw it', () => {
    const covered = [set(1, [1, 2], null), lost(2, 3), refused(1, 4, [5, 6]), lost(3, 7), read(3, [8, 9])];
    expect(areMovesExplained(covered)).toBe(true);
  });

  test('finds a refusal that none of them can have caused', () => {
    const late = [set(1, [1, 2], null), refused(1, 4, [3, 4]), lost(2, 5), lost(3, 7), read(3, [8, 9])];
    expect(areMovesExplained(late)).toBe(false);
  });

  test('finds one that was seen and is undone', () => {
    expect(areMovesExplained([set(1, [1, 2], null), lost(2, 3), read(2, [4, 5]), read(1, [6, 7])])).toBe(false);
  });
});

import { ALIAS, type AliasAction, type AliasAnswer } from './histories.ts';
import { isLinearizable, type Operation } from './linearizable.ts';

type Move = Operation<AliasAction, AliasAnswer>;

/**
 * Whether some order explains the moves of an alias to which no number is moved twice. First without those that were not
 * answered and whose number nobody saw, as they need not have happened: that leaves far less to try. Then with them: one
 * that another covered before anybody looked may have refused a third.
 */
export function areMovesExplained(moves: readonly Move[]): boolean {
  const seenBy = seenAt(moves);
  const told = moves.filter(({ action, answer }) => action.kind === 'set' || answer !== undefined);
  const certain = told.filter(({ action, answer }) => answer !== undefined || seenBy.has(numberOf(action)));
  const bounded = (move: Move): Move => ({ ...move, returnedAt: boundOf(move, seenBy) });
  return isLinearizable(certain.map(bounded), ALIAS) || isLinearizable(told.map(bounded), ALIAS);
}

/** When each number was first seen in an answer. */
function seenAt(moves: readonly Move[]): ReadonlyMap<number | null, number> {
  const seenBy = new Map<number | null, number>();
  for (const { answer, returnedAt } of moves) {
    if (answer === undefined || answer.kind === 'conflict') continue;
    const seen = answer.kind === 'value' ? answer.value : answer.from;
    seenBy.set(seen, Math.min(seenBy.get(seen) ?? Number.POSITIVE_INFINITY, returnedAt));
  }
  return seenBy;
}

/** A move without an answer whose number was seen happened before that was answered; just before, as no two times are the same. */
function boundOf({ action, answer, returnedAt }: Move, seenBy: ReadonlyMap<number | null, number>): number {
  const seen = answer === undefined ? seenBy.get(numberOf(action)) : undefined;
  return seen === undefined ? returnedAt : seen - 0.5;
}

function numberOf(action: AliasAction): number | null {
  return action.kind === 'set' ? action.to : null;
}

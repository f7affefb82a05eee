import type { ProgressEvent } from '@ingot/core/progress';
import type { ProgressDisplay } from './progress.ts';
import { describe, summary } from './progress.ts';
import { ProgressTotals } from './progress-totals.ts';
import type { Output } from './terminal.ts';

const EVENT_MS = 100;

/** What one line of progress says to a program: `{"progress":{"phase":"store","done":5,"total":10,"text":"…"}}`. */
export interface ProgressLine {
  readonly phase: ProgressEvent['phase'];
  /** Bytes of the phase so far, and in all; both 0 where it is not about bytes. */
  readonly done: number;
  readonly total: number;
  /** The same for people, as the command line says it. */
  readonly text: string;
}

/** Opens a display for programs (`INGOT_PROGRESS=json`): JSON Lines, at most ten a second. */
export function openProgressEvents(output: Output, now: () => number): ProgressDisplay {
  const totals = new ProgressTotals(now);
  let last = Number.NEGATIVE_INFINITY;
  return {
    onProgress: (event) => {
      totals.add(event);
      const isDone = totals.total > 0 && totals.done >= totals.total;
      if (now() - last < EVENT_MS && !isDone) return;
      last = now();
      const text = totals.matterFor(event) ? summary(totals, event.phase) : describe(event);
      const progress: ProgressLine = { phase: event.phase, done: totals.done, total: totals.total, text };
      output.write(`${JSON.stringify({ progress })}\n`);
    },
    clear: () => {},
  };
}

import type { ChunkerParameters } from './chunker.ts';
import { type SharedBlocks, sharedBlocks } from './pipeline-blocks.ts';
import { type Engine, startThreadEngine } from './pipeline-engine.ts';

/** Threads of an upload, and the memory that they share with it. */
export interface Hands {
  readonly blocks: SharedBlocks;
  readonly engine: Engine;
  /** Gives them back to be used by the next upload; or ends them, when this one has left them in the middle of something. */
  done(hasFailed: boolean): Promise<void>;
}

interface Idle {
  readonly key: string;
  readonly hands: Pick<Hands, 'blocks' | 'engine'>;
  readonly timer: NodeJS.Timeout;
}

/** A server takes one upload after another: to start threads for each costs as much as cutting some MiB. */
const IDLE_MS = 10_000;
const MOST_IDLE = 2;

const idle: Idle[] = [];

/**
 * Takes threads that the upload before has left, or starts some. Those that nobody takes end after ten seconds; they
 * keep no process alive.
 * @throws IngotError `unexpected` where threads cannot be started.
 */
export async function takeHands(limit: number, parameters: ChunkerParameters): Promise<Hands> {
  const key = JSON.stringify([limit, parameters]);
  const at = idle.findLastIndex((each) => each.key === key);
  const [left] = at < 0 ? [] : idle.splice(at, 1);
  if (left !== undefined) clearTimeout(left.timer);
  const hands = left?.hands ?? (await started(limit, parameters));
  const done = async (hasFailed: boolean): Promise<void> => {
    if (hasFailed || !hands.blocks.areFree) await hands.engine[Symbol.asyncDispose]();
    else await leave(key, hands);
  };
  return { ...hands, done };
}

async function started(limit: number, parameters: ChunkerParameters): Promise<Pick<Hands, 'blocks' | 'engine'>> {
  const blocks = sharedBlocks(limit);
  return { blocks, engine: await startThreadEngine(blocks.shared, parameters) };
}

async function leave(key: string, hands: Pick<Hands, 'blocks' | 'engine'>): Promise<void> {
  const timer = setTimeout(() => void end(hands), IDLE_MS);
  timer.unref();
  idle.push({ key, hands, timer });
  if (idle.length <= MOST_IDLE) return;
  const [oldest] = idle;
  if (oldest !== undefined) await end(oldest.hands);
}

async function end(hands: Pick<Hands, 'blocks' | 'engine'>): Promise<void> {
  const at = idle.findIndex((each) => each.hands === hands);
  const [ended] = at < 0 ? [] : idle.splice(at, 1);
  // Somebody has taken them meanwhile.
  if (ended === undefined) return;
  clearTimeout(ended.timer);
  await hands.engine[Symbol.asyncDispose]();
}

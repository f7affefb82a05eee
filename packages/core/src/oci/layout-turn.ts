/**
 * One writer at a time for `index.json`, over processes and machines: a directory `index.json.turn` that only one of them
 * can make. Whoever died with it is found out by its process, or by its standing still.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { IngotError, systemErrorCode } from '../errors.ts';

/** The directory's name. */
export const TURN = 'index.json.turn';

const LOOK_MS = 15;
const RENEW_MS = 3_000;
/** A turn that its holder does not renew for so long, by the watch of whoever waits, is a dead one's. */
const DEAD_AFTER_MS = 30_000;

/** Turns within this process, so that only one of its writers looks at the disk. */
const WAITING = new Map<string, Promise<unknown>>();

/**
 * Runs work while no other process does the same in that directory.
 * @throws IngotError `interrupted`, and what the work or the file system throws.
 */
export async function inTurn<T>(directory: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const before = WAITING.get(directory) ?? Promise.resolve();
  const mine = before.then(() => alone(directory, work, signal));
  const settled = mine.catch(() => undefined);
  WAITING.set(directory, settled);
  try {
    return await mine;
  } finally {
    if (WAITING.get(directory) === settled) WAITING.delete(directory);
  }
}

async function alone<T>(directory: string, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const turn = join(directory, TURN);
  await take(turn, signal);
  const renewal = setInterval(() => {
    const now = new Date();
    // Tolerated: at worst others take it for dead after a while.
    void utimes(turn, now, now).catch(() => undefined);
  }, RENEW_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    await rm(turn, { recursive: true, force: true });
  }
}

async function take(turn: string, signal: AbortSignal | undefined): Promise<void> {
  let seen: { readonly time: number; readonly since: number } | undefined;
  for (;;) {
    if (signal?.aborted)
      throw new IngotError('interrupted', 'oci.write was interrupted', {
        operation: 'oci.write',
        cause: signal.reason,
      });
    if (await make(turn)) return;
    const time = (await stat(turn).catch(() => undefined))?.mtimeMs;
    if (time !== undefined && time !== seen?.time) seen = { time, since: performance.now() };
    const stoodStill = seen !== undefined && performance.now() - seen.since > DEAD_AFTER_MS;
    if (time !== undefined && (stoodStill || (await isOfTheDead(turn)))) await clear(turn);
    else await setTimeout(LOOK_MS);
  }
}

/** Made with its holder's name in it, so that nobody sees a turn without one. */
async function make(turn: string): Promise<boolean> {
  const draft = `${turn}.${randomBytes(6).toString('hex')}`;
  await mkdir(draft);
  try {
    await writeFile(join(draft, holder()), '');
    await rename(draft, turn);
    return true;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(systemErrorCode(error) ?? '')) throw error;
    // Windows says EPERM of a directory that is there.
    if ((await stat(turn).catch(() => undefined)) === undefined) throw error;
    return false;
  }
}

// Only one of those who wait can rename it away; whoever was late renames a newer turn, sees so and gives it back.
async function clear(turn: string): Promise<void> {
  const [dead] = await readdir(turn).catch(() => []);
  const aside = `${turn}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(turn, aside);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
    throw error;
  }
  const [moved] = await readdir(aside);
  if (moved !== dead) await rename(aside, turn).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
}

async function isOfTheDead(turn: string): Promise<boolean> {
  const [name = ''] = await readdir(turn).catch(() => []);
  const [, where, id] = /^([0-9a-f]{8})-(\d+)-[0-9a-f]+$/.exec(name) ?? [];
  if (where !== machine() || id === undefined) return false;
  try {
    process.kill(Number(id), 0);
    return false;
  } catch (error) {
    return systemErrorCode(error) === 'ESRCH';
  }
}

/** The name under which a process holds a turn. */
export function holder(pid: number = process.pid): string {
  return `${machine()}-${pid}-${randomBytes(4).toString('hex')}`;
}

/** Where process ids mean the same: a host, and on Linux a namespace of it, as containers have. */
function machine(): string {
  return createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 8);
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Systems without namespaces.
    return '';
  }
}

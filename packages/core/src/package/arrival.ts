/**
 * An *arrival* is a directory in which a package is being made. Its name says of which package and by which process, so
 * that a rename hands it over: what a process left behind that is dead is gone on with by the next one, and only by one.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import { setTimeout } from 'node:timers/promises';
import type { Digest } from '../digest.ts';
import { systemErrorCode } from '../errors.ts';

/** Whoever does not renew an arrival's time for this long is taken for dead, when it cannot be asked. */
const STALE_MS = 5 * 60_000;
const RENEW_MS = 20_000;
/** Looking who makes a package, and beginning it, takes milliseconds; nobody is waited for much longer. */
const TURN_LOOK_MS = 20;
const TURN_LOOKS = 150;
const TURN = 'turn';

/** Where arrivals lie and how they are called. */
export interface ArrivalPlace {
  readonly parent: string;
  /** Of the directory's name: `.churn.`. */
  readonly prefix: string;
  /** `.pulling`. */
  readonly suffix: string;
  readonly now: () => Date;
}

/** A directory of this process's own in which a package is made. */
export interface Arrival extends Disposable {
  readonly path: string;
  /** Whether another process began it. */
  readonly resumed: boolean;
}

/** Arrivals of this process. */
const OWN = new Set<string>();

/**
 * Goes on with an arrival that a dead process left, or begins one. `busy` when a living process makes the same package.
 * @param mode of the new directory.
 */
export async function claimArrival(
  place: ArrivalPlace,
  manifest: Digest,
  options: { readonly mode?: number } = {},
): Promise<Arrival | 'busy'> {
  return await inTurn(place, manifest, () => claimInTurn(place, manifest, options));
}

async function claimInTurn(
  place: ArrivalPlace,
  manifest: Digest,
  options: { readonly mode?: number },
): Promise<Arrival | 'busy'> {
  const found = (await listArrivals(place)).filter(({ manifest: key }) => key === keyOf(manifest));
  for (const left of found) {
    if (!(await isAbandoned(left, place))) return 'busy';
    const taken = await takeOver(left, place);
    if (taken !== undefined) return taken;
  }
  return await beginArrival(place, manifest, options);
}

/**
 * Lets one process at a time look and begin: two that looked at once would both find nobody. Whoever died in its turn, or
 * was stopped, is not waited for long: then at worst two make the same package, and one of them throws its own away.
 */
async function inTurn<T>(place: ArrivalPlace, manifest: Digest, work: () => Promise<T>): Promise<T> {
  const turn = join(place.parent, `${place.prefix}${keyOf(manifest)}-${TURN}${place.suffix}`);
  for (let looks = 0; looks < TURN_LOOKS; looks++) {
    try {
      await mkdir(turn);
      break;
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
    await setTimeout(TURN_LOOK_MS);
  }
  try {
    return await work();
  } finally {
    // Tolerated: whoever waited for too long has removed it.
    await rmdir(turn).catch(() => undefined);
  }
}

/** Begins an arrival, whoever else makes the same package. */
export async function beginArrival(
  place: ArrivalPlace,
  manifest: Digest,
  { mode = 0o777 }: { readonly mode?: number } = {},
): Promise<Arrival> {
  const name = ownName(place, keyOf(manifest));
  await mkdir(join(place.parent, name), { mode });
  return owned(place, name, false);
}

/** Removes arrivals that dead processes left; those of one package only when it is given, except it. */
export async function sweepArrivals(place: ArrivalPlace, except?: Digest): Promise<void> {
  for (const path of await abandonedArrivals(place, except)) await rm(path, { recursive: true, force: true });
}

/** Finds arrivals that dead processes left, as {@link sweepArrivals} does; nothing is removed. */
export async function abandonedArrivals(place: ArrivalPlace, except?: Digest): Promise<readonly string[]> {
  const found: string[] = [];
  for (const left of await listArrivals(place)) {
    if (except !== undefined && left.manifest === keyOf(except)) continue;
    if (await isAbandoned(left, place)) found.push(join(place.parent, left.name));
  }
  return found;
}

interface LeftArrival {
  readonly name: string;
  readonly manifest: string;
  readonly machine: string;
  readonly pid: number;
}

async function listArrivals({ parent, prefix, suffix }: ArrivalPlace): Promise<LeftArrival[]> {
  let names: readonly string[];
  try {
    names = await readdir(parent);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
  return names.flatMap((name) => {
    if (!name.startsWith(prefix) || !name.endsWith(suffix)) return [];
    const middle = name.slice(prefix.length, name.length - suffix.length);
    const [manifest, machine, id] = /^([0-9a-f]{16})-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}$/.exec(middle)?.slice(1) ?? [];
    return manifest === undefined || machine === undefined ? [] : [{ name, manifest, machine, pid: Number(id) }];
  });
}

async function isAbandoned(left: LeftArrival, { parent, now }: ArrivalPlace): Promise<boolean> {
  const path = join(parent, left.name);
  if (OWN.has(path)) return false;
  if (left.machine === machine() && (left.pid === pid || !isAlive(left.pid))) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && now().getTime() - found.mtimeMs > STALE_MS;
}

async function takeOver(left: LeftArrival, place: ArrivalPlace): Promise<Arrival | undefined> {
  const name = ownName(place, left.manifest);
  try {
    await rename(join(place.parent, left.name), join(place.parent, name));
  } catch (error) {
    // Another process was faster.
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return owned(place, name, true);
}

function owned(place: ArrivalPlace, name: string, resumed: boolean): Arrival {
  const path = join(place.parent, name);
  OWN.add(path);
  const renew = (): void => {
    // Tolerated: at worst it is taken for dead, and somebody else goes on with it.
    void utimes(path, place.now(), place.now()).catch(() => undefined);
  };
  renew();
  const renewal = setInterval(renew, RENEW_MS).unref();
  return {
    path,
    resumed,
    [Symbol.dispose]: () => {
      clearInterval(renewal);
      OWN.delete(path);
    },
  };
}

function ownName({ prefix, suffix }: ArrivalPlace, manifest: string): string {
  return `${prefix}${manifest}-${machine()}-${pid}-${randomBytes(4).toString('hex')}${suffix}`;
}

function keyOf(manifest: Digest): string {
  return manifest.slice('sha256:'.length, 'sha256:'.length + 16);
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}

let known: string | undefined;

/** Where process ids mean the same: a host, and on Linux a namespace of it, as containers have. */
function machine(): string {
  known ??= createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 8);
  return known;
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Systems without namespaces.
    return '';
  }
}

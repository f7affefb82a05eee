/**
 * A *probe* finds out what a storage really does, with *canaries*: blobs under `changes/probe/` that nobody else uses and
 * that are removed again. Nothing that a storage says of itself is believed.
 */

import { IngotError, isIngotError } from '../errors.ts';
import { schemeOf } from './address.ts';
import type { BlobStore } from './blob-store.ts';
import { bodyOf } from './bytes.ts';
import type { Canary, Patience, StepOptions } from './probe/canary.ts';
import { plant, textAt, until } from './probe/canary.ts';
import type { RaceResult } from './probe/race.ts';
import { createsLargeOnce, race } from './probe/race.ts';

/** What a probe looks at. */
export type ProbeCheck = 'create-if-absent' | 'large-create' | 'range' | 'listing' | 'delete';

/** What it found. */
export interface Finding {
  readonly check: ProbeCheck;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly message: string;
  /** What to do about it. */
  readonly fix?: string;
}

/** All findings. A store may be published to when none failed. */
export interface ProbeReport {
  readonly findings: readonly Finding[];
  /** The storage's own time of the first canary. */
  readonly storageTime?: Date;
}

/** What a probe needs from outside. */
export interface ProbeOptions extends StepOptions {
  /** Names the canaries; must never repeat. */
  readonly id: string;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** More clients of the same storage, which take part in the race. Default: none. */
  readonly others?: readonly BlobStore[];
  /** Also tries large bodies, which some storages create in another way. Default: false. */
  readonly thorough?: boolean;
}

/** Above what every backend sends in one request. */
const LARGE_BYTES = 36 * 2 ** 20;

/** A listing or a deletion that takes longer than this to show is called stale. */
const SHORT_WAIT_MS = 3000;
const LONG_WAIT_MS = 15_000;

/**
 * Probes a storage: about 20 small requests; when `thorough`, two large writes more. Removes what it wrote, as far as it may.
 * @throws IngotError what the first write throws: `forbidden`, `unavailable`, `store-not-found`.
 */
export async function probeStore(blobs: BlobStore, options: ProbeOptions): Promise<ProbeReport> {
  const canaries = new Canaries(blobs, options);
  const findings: Finding[] = [];
  try {
    const first = { key: canaries.key('first'), text: `canary ${options.id}` };
    await plant(blobs, first, options);
    // What does not depend on each other is asked at once, as a line may be late; all of it has ended before canaries go.
    const asked = [
      checkRange(blobs, first, options),
      checkListing(blobs, first.key, options),
      blobs.stat(first.key, options),
      checkCreate(blobs, first, canaries, options),
    ] as const;
    await Promise.allSettled(asked);
    const [range, listing, stat, creating] = asked;
    const created = await creating;
    findings.push(created);
    const storageTime = created.status === 'failed' ? undefined : (await stat)?.modifiedAt;
    // Nothing that a liar says of anything else is of use; its canaries may be gone.
    if (created.status === 'failed') return { findings, ...(storageTime === undefined ? {} : { storageTime }) };
    if (options.thorough === true) findings.push(await checkLarge(blobs, canaries, options));
    findings.push(await range, await listing);
    findings.push(await checkDelete(blobs, first.key, options));
    return { findings, ...(storageTime === undefined ? {} : { storageTime }) };
  } finally {
    await canaries.remove();
  }
}

/** Keys of a probe, to remove them. */
class Canaries {
  readonly #blobs: BlobStore;
  readonly #keys: string[] = [];
  readonly #id: string;

  constructor(blobs: BlobStore, { id }: ProbeOptions) {
    this.#blobs = blobs;
    this.#id = id;
  }

  key(name: string): string {
    const key = `changes/probe/${this.#id}/${name}`;
    this.#keys.push(key);
    return key;
  }

  // What may not be deleted is told by its own check; what is left lies under `changes/`, which may be deleted any time.
  async remove(): Promise<void> {
    await Promise.allSettled(this.#keys.map((key) => this.#blobs.delete(key)));
  }
}

async function checkCreate(
  blobs: BlobStore,
  first: Canary,
  canaries: Canaries,
  options: ProbeOptions,
): Promise<Finding> {
  const asked = [
    writeAgain(blobs, first, options),
    race([blobs, ...(options.others ?? [])], (round) => canaries.key(`race-${round}`), options),
  ] as const;
  await Promise.allSettled(asked);
  const lie = await asked[0];
  if (lie !== undefined) return liar(blobs, lie);
  const ended = await asked[1];
  if (!ended.honest) return liar(blobs, raceText(ended));
  return { check: 'create-if-absent', status: 'ok', message: 'honoured: of several writers exactly one creates' };
}

/** Writes a key that is taken; says what is wrong about the answer. */
async function writeAgain(blobs: BlobStore, first: Canary, options: ProbeOptions): Promise<string | undefined> {
  const again = await blobs.write(first.key, bodyOf('somebody else'), options);
  if ((await textAt(blobs, first.key, options)) !== first.text) return 'it overwrites what is there';
  return again === 'created' ? 'it says "created" of a key that is taken' : undefined;
}

function raceText({ winners, writers, replaced }: RaceResult & { readonly honest: false }): string {
  if (winners > 1) return `of ${writers} writers of one key, ${winners} were told that they had created it`;
  return replaced ? "another writer's bytes replaced the winner's" : 'nobody won a race';
}

function liar({ address }: BlobStore, what: string): Finding {
  return {
    check: 'create-if-absent',
    status: 'failed',
    message: `not honoured: ${what}; two pushes at once would lose a version`,
    fix: REMEDIES[schemeOf(address) ?? 'file'] ?? 'use another storage',
  };
}

/** What to do where creating is not exclusive, by scheme. The servers named pass this probe in this project's own tests. */
const REMEDIES: Readonly<Record<string, string>> = {
  s3: 'use a server that honours If-None-Match on PutObject (Amazon S3, versitygw 1.8, current MinIO), or another kind of storage',
  webdav: 'use Apache mod_dav, which honours MOVE with "Overwrite: F", or another kind of storage',
  webdavs: 'use Apache mod_dav, which honours MOVE with "Overwrite: F", or another kind of storage',
  sftp: 'use OpenSSH (internal-sftp), which has the hardlink extension, or another kind of storage',
  file: 'use a file system where a hard link or the rename of a directory never replaces a file, or another kind of storage',
};

async function checkLarge(blobs: BlobStore, canaries: Canaries, options: ProbeOptions): Promise<Finding> {
  const check = 'large-create';
  try {
    return await largeFinding(blobs, canaries, options);
  } catch (error) {
    if (!isIngotError(error, 'forbidden')) throw error;
    return {
      check,
      status: 'warning',
      message: `large blobs may not be written: ${error.message}. A push needs none, but to a store of 0.1`,
      ...(error.hint === undefined ? {} : { fix: error.hint }),
    };
  }
}

async function largeFinding(blobs: BlobStore, canaries: Canaries, options: ProbeOptions): Promise<Finding> {
  const check = 'large-create';
  if (await createsLargeOnce(blobs, canaries.key('large'), LARGE_BYTES, options))
    return { check, status: 'ok', message: 'large blobs are created once, too' };
  return {
    check,
    status: 'warning',
    message: 'a large blob is overwritten; versions are safe, as large blobs have names of their own',
    fix: 'tell whoever runs the server',
  };
}

async function checkRange(blobs: BlobStore, first: Canary, options: ProbeOptions): Promise<Finding> {
  let text = '';
  for await (const piece of blobs.read(first.key, { ...options, range: { start: 3, end: 9 } }))
    text += Buffer.from(piece).toString();
  if (text === first.text.slice(3, 9))
    return { check: 'range', status: 'ok', message: 'parts of blobs are read right' };
  return {
    check: 'range',
    status: 'failed',
    message: 'wrong: asked for 6 bytes of a blob, it gave others',
    fix: 'a proxy in between may not pass the Range header on',
  };
}

async function checkListing(blobs: BlobStore, key: string, options: ProbeOptions): Promise<Finding> {
  const isListed = async (): Promise<boolean> => {
    for await (const entry of blobs.list(key, options)) if (entry.key === key) return true;
    return false;
  };
  const tookMs = await until(isListed, patience(options));
  if (tookMs !== undefined && tookMs < STALE_MS)
    return { check: 'listing', status: 'ok', message: 'a listing shows at once what was written' };
  const after =
    tookMs === undefined ? `not even after ${waitMs(options) / 1000} s` : `${(tookMs / 1000).toFixed(1)} s later`;
  return {
    check: 'listing',
    status: 'warning',
    message: `a listing shows what was written ${after}`,
    fix: 'collect with ingot gc --exclusive only, while nobody pushes',
  };
}

async function checkDelete(blobs: BlobStore, key: string, options: ProbeOptions): Promise<Finding> {
  const check = 'delete';
  try {
    await blobs.delete(key, options);
  } catch (thrown) {
    if (!isIngotError(thrown, 'forbidden')) throw thrown;
    return {
      check,
      status: 'warning',
      message: 'nothing may be deleted: every push leaves small files under roots/ and changes/ behind',
      fix: 'docs/storage/README.md says what a pusher needs',
    };
  }
  const isGone = async (): Promise<boolean> => (await blobs.stat(key, options)) === undefined;
  if ((await until(isGone, patience(options))) !== undefined)
    return { check, status: 'ok', message: 'what is deleted is gone' };
  return {
    check,
    status: 'warning',
    message: `a deleted blob was still there after ${waitMs(options) / 1000} s`,
    fix: 'a hold or a retention rule of the bucket may keep it; ingot gc frees nothing then',
  };
}

/** From here on a delay is the storage's and not the network's. */
const STALE_MS = 1000;

function waitMs({ thorough }: ProbeOptions): number {
  return thorough === true ? LONG_WAIT_MS : SHORT_WAIT_MS;
}

function patience({ clock, sleep, ...options }: ProbeOptions): Patience {
  return { clock, sleep, forMs: waitMs({ clock, sleep, ...options }) };
}

/**
 * Refuses a storage of which a probe found that it cannot be trusted.
 * @throws IngotError `refused`, naming what it does and what to do.
 */
export function checkTrustworthy(address: string, { findings }: ProbeReport): void {
  const failed = findings.find(({ status }) => status === 'failed');
  if (failed === undefined) return;
  throw new IngotError('refused', `${address} cannot be published to: ${failed.check} is ${failed.message}`, {
    operation: 'store.probe',
    hint: failed.fix ?? 'ingot doctor',
    details: { check: failed.check },
  });
}

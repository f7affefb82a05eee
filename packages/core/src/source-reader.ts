/**
 * Reads models that lie in directories and buckets under plain names: finds what an address means, brings it here, makes
 * a package of it, and keeps that in the cache like one of a registry. Nothing of it is loaded or executed.
 */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { redactAddress, storageIdentity } from './blob/address.ts';
import type { Capture, PlainSource } from './capture.ts';
import { IngotError, isIngotError } from './errors.ts';
import type { CachedPackage, PackageCache } from './package/cache.ts';
import type { Inference, PackagePlan } from './package/package.ts';
import { type ForeignPackage, openForeign } from './package/foreign/open-foreign.ts';
import { type PackageCheck, checkPackage, packageError } from './package/read.ts';
import type { OnProgress } from './progress.ts';
import type { ModelName } from './ref.ts';
import { planContents } from './source-contents.ts';
import { type BroughtSource, bringSource } from './source-download.ts';
import { openOciSource, type OpenRepository } from './source-oci.ts';
import { type SourceRecord, SourceRecords } from './source-record.ts';
import { type OpenStorage, openPlace } from './source/open-place.ts';
import { isOciAddress } from './source/oci-address.ts';
import { type AddressHost, parsePlainAddress, type PlainAddress } from './source/plain-address.ts';
import type { SourcePlace } from './source/place.ts';
import { resolveSource } from './source/resolve-source.ts';
import type { SourceMatch } from './source/source-match.ts';
import { isWholeFile } from './source/whole-file.ts';

/** Options of {@link SourceReader}. */
export interface SourceReaderOptions {
  readonly cache: PackageCache;
  /** Directory in the cache for downloads and for what is remembered. */
  readonly directory: string;
  readonly open: OpenStorage;
  readonly host: AddressHost;
  /** Opens a repository of a registry, for `oci://…`. Default: without credentials. */
  readonly openRepository?: OpenRepository;
  /** Variables that tell one storage from another of the same address. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: the system clock. */
  readonly now?: () => Date;
  /** Waits; given by tests. Default: the system's timer. */
  readonly pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** How long a storage may be silent before what was last known of it is taken. Default: 10,000 ms. */
  readonly patienceMs?: number;
  /** Never asks the storage. Default: false. */
  readonly offline?: boolean;
  readonly onProgress?: OnProgress;
}

/** What an address means, as a package of the cache. */
export interface SourcePackage {
  readonly record: SourceRecord;
  readonly cached: CachedPackage;
  /** ISO 8601; set when the storage does not answer and this is what was last known. */
  readonly staleSince?: string;
}

/** A match whose files lie on this machine, and what reading them gave. */
export interface SourceCheck extends AsyncDisposable {
  readonly match: SourceMatch;
  /** The file or directory that was read. */
  readonly path: string;
  readonly check: PackageCheck;
  /** What the files of another system say of the version: metrics, tags, sample rows. */
  readonly captured?: Capture;
}

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** A file that was written to this short a time ago may not be finished. */
const QUIET_MS = 2000;
const LOOK_MS = 1000;
const LOOKS = 60;
const ATTEMPTS = 3;
const PATIENCE_MS = 10_000;
/** How old a note of what an address means may become while it means the same. */
const RECORD_MS = 60_000;

/** Finds, brings, reads and caches what plain addresses mean. */
export class SourceReader {
  readonly #options: SourceReaderOptions;
  readonly #records: SourceRecords;
  readonly #places = new Map<string, Promise<SourcePlace>>();

  constructor(options: SourceReaderOptions) {
    this.#options = options;
    this.#records = new SourceRecords(join(options.directory, 'known'));
  }

  /**
   * Gives the package that an address means now, from the cache when nothing changed; while the storage does not answer,
   * the one that it meant last.
   */
  async open(text: string, options: CallOptions = {}): Promise<SourcePackage> {
    try {
      if (this.#options.offline === true) throw offline(text);
      const first = await this.#firstLook(text, options);
      return await this.package(await this.settled(text, options, first), options);
    } catch (error) {
      if (!isIngotError(error, 'unavailable', 'timeout', 'overloaded', 'store-not-found')) throw error;
      const known = await this.lastKnown(text);
      if (known === undefined) throw error;
      return known;
    }
  }

  /** What an address means now; one look, nothing is brought. */
  async match(text: string, options: CallOptions = {}): Promise<SourceMatch> {
    const address = parsePlainAddress(text, this.#options.host);
    const open = (other: PlainAddress): Promise<SourcePlace> => this.#place(other);
    const place = await this.#place(address);
    if (place.match !== undefined) return await place.match(address, options);
    return await resolveSource(address, place, { ...options, open });
  }

  /** As {@link match}; a storage that is silent is not waited for where there is something to go on with. */
  async #firstLook(text: string, options: CallOptions): Promise<SourceMatch> {
    if ((await this.lastKnown(text)) === undefined) return await this.match(text, options);
    const { patienceMs = PATIENCE_MS } = this.#options;
    const silence = AbortSignal.timeout(patienceMs);
    try {
      return await this.match(text, {
        signal: AbortSignal.any([silence, ...(options.signal ? [options.signal] : [])]),
      });
    } catch (error) {
      if (!silence.aborted || options.signal?.aborted === true) throw error;
      throw new IngotError('timeout', `"${redactAddress(text)}" did not answer within ${patienceMs / 1000} s`, {
        operation: 'source',
        cause: error,
      });
    }
  }

  /** As {@link match}, but waits for a file that is still being written; `first` is a look taken just now. */
  async settled(text: string, options: CallOptions = {}, first?: SourceMatch): Promise<SourceMatch> {
    const { pause = sleep } = this.#options;
    let match = first ?? (await this.match(text, options));
    if (!(await this.isFresh(match))) return match;
    for (let look = 0; look < LOOKS; look += 1) {
      await pause(LOOK_MS, options.signal);
      const again = await this.match(text, options);
      if (again.revision === match.revision && (await this.isWhole(again))) return again;
      match = again;
    }
    throw new IngotError('unavailable', `${match.location} is still being written`, {
      operation: 'source',
      hint: 'write to another name first and rename it when it is whole',
    });
  }

  /** Whether a match may be half-written: changed a moment ago, or ending in the middle. */
  async isFresh(match: SourceMatch): Promise<boolean> {
    const { now = () => new Date() } = this.#options;
    const place = await this.#place(match.address);
    if (!place.growsInPlace) return false;
    const age = now().getTime() - match.modifiedAt.getTime();
    return age < QUIET_MS || !(await this.isWhole(match));
  }

  /** Whether the files of a match end where their formats say, where that can be seen without bringing them. */
  async isWhole(match: SourceMatch): Promise<boolean> {
    const place = await this.#place(match.address);
    for (const { path, sizeBytes } of place.localPath === undefined ? [] : match.files) {
      if (!(await isWholeFile(place.localPath?.(path) ?? '', sizeBytes))) return false;
    }
    return true;
  }

  /** The package of a match: from the cache, else brought, read and kept there. */
  async package(match: SourceMatch, options: CallOptions = {}): Promise<SourcePackage> {
    const { cache, now = () => new Date() } = this.#options;
    const identity = this.#identity(match);
    const before = await this.#records.find(identity);
    const same = before?.revision === match.revision && before.location === match.location ? before : undefined;
    const here = same && (await cache.get({ manifest: same.manifest, model: same.model }));
    if (same !== undefined && here !== undefined) {
      const record = { ...same, at: now().toISOString() };
      if (now().getTime() - Date.parse(same.at) > RECORD_MS) await this.#records.keep(identity, record);
      return { record, cached: here };
    }
    await using read = await this.#read(match, {}, options);
    const { plan, problems } = read.check;
    if (plan === undefined) throw packageError(match.location, problems);
    const { contents, recipe } = planContents(plan, read.captured);
    const model = plan.name;
    const key = { manifest: plan.manifestDigest, recipe, model };
    const cached = await cache.fetch(key, contents, { ...options, ...this.#progress() });
    const record = recordOf(match, plan, now());
    await this.#records.keep(identity, record);
    return { record, cached };
  }

  /** What an address meant last, when its package is still here. */
  async lastKnown(text: string): Promise<SourcePackage | undefined> {
    const address = parsePlainAddress(text, this.#options.host);
    const record = await this.#records.find(this.#identity({ address }));
    const cached = record && (await this.#options.cache.get({ manifest: record.manifest, model: record.model }));
    return record && cached && { record, cached, staleSince: record.at };
  }

  /**
   * Brings what an address means and reads it as a package, with all its problems; nothing is kept. The files stay until
   * the result is disposed.
   */
  async check(text: string, naming: { readonly name?: string } = {}, options: CallOptions = {}): Promise<SourceCheck> {
    return await this.#read(await this.settled(text, options), naming, options);
  }

  /** As {@link check}, for what was found already. */
  async checkMatch(
    match: SourceMatch,
    naming: { readonly name?: string } = {},
    options: CallOptions = {},
  ): Promise<SourceCheck> {
    return await this.#read(match, naming, options);
  }

  /** Brings the files of a match here, until the result is disposed. */
  async bring(match: SourceMatch, call: CallOptions = {}): Promise<BroughtSource> {
    const place = await this.#place(match.address);
    const directory = join(this.#options.directory, 'arriving');
    const brought = await bringSource(match, place, { directory, ...call, ...this.#progress() });
    try {
      if (place.arrange !== undefined) return { ...brought, path: await place.arrange(match, brought.path, call) };
      await refuseHalf(match, brought);
      return brought;
    } catch (error) {
      await brought[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What relative addresses start from. */
  get host(): AddressHost {
    return this.#options.host;
  }

  /** The directory or bucket of an address; no request is sent. */
  place(address: PlainAddress): Promise<SourcePlace> {
    return this.#place(address);
  }

  async #read(match: SourceMatch, naming: { readonly name?: string }, options: CallOptions): Promise<SourceCheck> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#readOnce(match, naming, options);
      } catch (error) {
        if (!isIngotError(error, 'source-changed') || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #readOnce(match: SourceMatch, naming: { readonly name?: string }, call: CallOptions): Promise<SourceCheck> {
    const options = { ...call, ...this.#progress() };
    const brought = await this.bring(match, call);
    let foreign: ForeignPackage | undefined;
    const dispose = async (): Promise<void> => {
      await foreign?.[Symbol.asyncDispose]();
      await brought[Symbol.asyncDispose]();
    };
    try {
      foreign = await openForeign(brought.path, { ...call, scratch: join(this.#options.directory, 'arriving') });
      const check = await checkPackage(brought.path, { ...options, ...naming, ...(foreign && { foreign }) });
      return {
        match,
        path: brought.path,
        check: named(check, match.name, naming.name),
        ...(foreign?.finding.captured && { captured: foreign.finding.captured }),
        [Symbol.asyncDispose]: dispose,
      };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  #place(address: SourceMatch['address']): Promise<SourcePlace> {
    const known = this.#places.get(address.root);
    if (known !== undefined) return known;
    const opened = isOciAddress(address.text)
      ? openOciSource(address, this.#options)
      : openPlace(address, this.#options.open, this.#options.env);
    this.#places.set(address.root, opened);
    opened.catch(() => this.#places.delete(address.root));
    return opened;
  }

  #identity({ address }: Pick<SourceMatch, 'address'>): string {
    const where = storageIdentity(address.root, this.#options.env ?? {});
    const wanted = address.parts.map((part) => part.text).join('/');
    return `${where}/${wanted}${address.isDirectory ? '/' : ''}#${address.objectVersion ?? ''}`;
  }

  #progress(): { readonly onProgress?: OnProgress } {
    return this.#options.onProgress === undefined ? {} : { onProgress: this.#options.onProgress };
  }
}

/** Where the files of a match lie, as a version's history keeps it. */
export function sourceOf({ location, revision, files, kind, address }: SourceMatch): PlainSource {
  const objectVersion = kind === 'file' ? (address.objectVersion ?? files[0]?.objectVersion) : undefined;
  return {
    address: redactAddress(location),
    revision: kind === 'file' ? (files[0]?.revision ?? revision) : revision,
    ...(objectVersion !== undefined && { objectVersion }),
  };
}

/** Says of a model's name that the address gave it. */
export function namedFromAddress(inferred: readonly Inference[], name: ModelName): Inference[] {
  return inferred.map((one) => (one.what === 'name' ? { what: 'name', value: name, from: 'from the address' } : one));
}

/** A name in the metadata counts; else the address says it better than the name of a file. */
function named(check: PackageCheck, name: ModelName, given: string | undefined): PackageCheck {
  const { plan } = check;
  if (plan === undefined || given !== undefined || plan.metadata?.name !== undefined) return check;
  const { displayName: _, ...rest } = plan;
  const inferred = namedFromAddress(plan.inferred, name);
  return { ...check, plan: { ...rest, name, inferred } };
}

async function refuseHalf(match: SourceMatch, brought: BroughtSource): Promise<void> {
  if (match.kind !== 'file') return;
  const found = await stat(brought.path);
  if (!found.isFile() || (await isWholeFile(brought.path, found.size))) return;
  const what = found.size === 0 ? 'is empty' : 'ends in the middle: it is not whole';
  throw new IngotError('invalid-package', `${match.location} ${what}`, {
    operation: 'source',
    hint: 'wait until whatever writes it has finished, or write it again',
  });
}

function recordOf(match: SourceMatch, plan: PackagePlan, now: Date): SourceRecord {
  return {
    address: match.address.text,
    location: match.location,
    revision: match.revision,
    model: plan.name,
    version: match.version,
    modifiedAt: match.modifiedAt.toISOString(),
    sizeBytes: match.sizeBytes,
    because: match.because,
    notes: match.notes,
    manifest: plan.manifestDigest,
    at: now.toISOString(),
  };
}

function offline(text: string): IngotError {
  return new IngotError('unavailable', `"${text}" was never fetched here, and INGOT_OFFLINE keeps from asking for it`, {
    hint: 'INGOT_OFFLINE=0 ingot pull … --cached',
  });
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(clock);
      signal?.removeEventListener('abort', done);
      if (signal?.aborted) reject(new IngotError('interrupted', 'waiting was interrupted'));
      else resolve();
    };
    const clock = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done, { once: true });
  });
}

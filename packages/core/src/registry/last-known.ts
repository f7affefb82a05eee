import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isIngotError } from '../errors.ts';
import type { JsonValue } from '../json.ts';
import { isJsonObject } from '../json.ts';
import type { Reference } from '../ref.ts';
import { formatReference } from '../ref.ts';
import { Fields } from './fields.ts';
import type { RegistryOptions, ResolvedVersion, VersionResolver } from './registry.ts';
import { parseResolved } from './resolved.ts';

/** Options of {@link withLastKnown}. */
export interface LastKnownOptions {
  /** Where resolutions are kept; made (0700) with the first one. */
  readonly directory: string;
  /** Address of the store that is asked, when several share the directory. Default: none. */
  readonly address?: string;
  /** Default: the system clock. */
  readonly clock?: () => Date;
}

const REFRESH_AFTER_MS = 60_000;

/**
 * Remembers on disk what references resolved to, and answers that, marked with `staleSince`, while the store does not
 * answer. What the store says, also that there is no such model, always counts more.
 *
 * @example
 * const resolver = withLastKnown(registry, { directory: `${cache}/stores/${hash}/resolutions` });
 */
export function withLastKnown(inner: VersionResolver, options: LastKnownOptions): VersionResolver {
  const memory = new Resolutions(options);
  return {
    async resolve(reference: Reference, call: RegistryOptions = {}): Promise<ResolvedVersion> {
      try {
        const resolved = await inner.resolve(reference, call);
        await memory.keep(reference, resolved);
        return resolved;
      } catch (error) {
        if (isIngotError(error, 'model-not-found', 'version-not-found', 'alias-not-found'))
          await memory.drop(reference);
        if (!isIngotError(error, 'unavailable', 'timeout', 'overloaded', 'store-not-found')) throw error;
        const known = await memory.find(reference);
        if (known === undefined) throw error;
        return known;
      }
    },
  };
}

interface Kept {
  readonly resolved: ResolvedVersion;
  readonly at: Date;
}

class Resolutions {
  readonly #directory: string;
  readonly #address: string;
  readonly #now: () => Date;
  readonly #kept = new Map<string, Kept & { readonly writtenAt: Date }>();

  constructor({ directory, address, clock }: LastKnownOptions) {
    this.#directory = directory;
    this.#address = address ?? '';
    this.#now = clock ?? (() => new Date());
  }

  // A server asks every second: the file is written when the answer changes, else once a minute.
  async keep(reference: Reference, resolved: ResolvedVersion): Promise<void> {
    const path = this.#path(reference);
    const at = this.#now();
    const before = this.#kept.get(path);
    const fresh = before !== undefined && at.getTime() - before.writtenAt.getTime() < REFRESH_AFTER_MS;
    const same = fresh && sameVersion(before.resolved, resolved);
    this.#kept.set(path, { resolved, at, writtenAt: same ? before.writtenAt : at });
    if (!same) await this.#write(path, { resolved, at });
  }

  async find(reference: Reference): Promise<ResolvedVersion | undefined> {
    const path = this.#path(reference);
    const kept = this.#kept.get(path) ?? (await readKept(path, reference));
    return kept && { ...kept.resolved, reference, staleSince: kept.at.toISOString() };
  }

  async drop(reference: Reference): Promise<void> {
    const path = this.#path(reference);
    this.#kept.delete(path);
    // What cannot be removed is only ever used while the store is away.
    await rm(path, { force: true }).catch(() => {});
  }

  // A full disk or a read-only home must not fail a resolution that worked.
  async #write(path: string, { resolved, at }: Kept): Promise<void> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    const { reference: _, staleSince: __, ...facts } = resolved;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(temporary, JSON.stringify({ at: at.toISOString(), resolved: facts }), { mode: 0o600 });
      await rename(temporary, path);
    } catch {
      await rm(temporary, { force: true }).catch(() => {});
    }
  }

  #path(reference: Reference): string {
    const name = createHash('sha256')
      .update(`${this.#address}\n${formatReference(reference)}`)
      .digest('hex');
    return join(this.#directory, `${name}.json`);
  }
}

function sameVersion(a: ResolvedVersion, b: ResolvedVersion): boolean {
  return a.modelId === b.modelId && a.number === b.number && a.manifest === b.manifest;
}

async function readKept(path: string, reference: Reference): Promise<Kept | undefined> {
  try {
    const value: JsonValue = JSON.parse(await readFile(path, 'utf8'));
    if (!isJsonObject(value)) return undefined;
    const fields = new Fields(value, path);
    return { at: new Date(fields.text('at')), resolved: parseResolved(fields.inner('resolved'), reference) };
  } catch {
    // Never written, or damaged: nothing is known either way.
    return undefined;
  }
}

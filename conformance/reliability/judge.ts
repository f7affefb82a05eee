/**
 * Looks at a store as a stranger would, after something terrible happened to it: opens it, lists it, brings every version
 * and checks every byte. *Observed* is what is there; a *ledger* is what has to be.
 */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { check } from '@ingot/core/check';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { isIngotError } from '@ingot/core/errors';
import { pull } from '@ingot/core/pull';
import { openLogRegistry } from '@ingot/core/registry/open';

/** Versions and aliases of a store. */
export interface Ledger {
  /** `churn:7` to the files' {@link fingerprint}. */
  readonly versions: ReadonlyMap<string, string>;
  /** `churn@production` to the number. */
  readonly aliases: ReadonlyMap<string, number>;
}

/** A store in which nothing is. */
export const NOTHING: Ledger = { versions: new Map(), aliases: new Map() };

/** What was found in a store, and what is wrong with that alone. */
export interface Observed extends Ledger {
  readonly failures: readonly string[];
}

/** Names files by their contents. */
export function fingerprint(files: Readonly<Record<string, Uint8Array>>): string {
  const hash = createHash('sha256');
  for (const [name, bytes] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${name} ${createHash('sha256').update(bytes).digest('hex')}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** Names files of a directory by their contents. */
export function fingerprintOf(directory: string, files: readonly string[]): string {
  return fingerprint(Object.fromEntries(files.map((name) => [name, readFileSync(join(directory, name))])));
}

/** Options of {@link observe}. */
export interface ObserveOptions {
  /** Versions whose files need not be brought again: `churn:7` to their fingerprint. Default: all are brought. */
  readonly known?: ReadonlyMap<string, string>;
  /** Whether all bytes are read and compared. Default: true. */
  readonly readData?: boolean;
}

/** Lists all that a store has, brings every version, and checks every byte. */
export async function observe(blobs: BlobStore, options: ObserveOptions = {}): Promise<Observed> {
  const found: Found = { versions: new Map(), aliases: new Map(), failures: [] };
  try {
    const { damage, versions } = await check({ blobs, readData: options.readData ?? true, threads: 0 });
    for (const { key, message } of damage) found.failures.push(`check: ${key}: ${message}`);
    for (const { ref } of versions) found.failures.push(`check: ${ref} is hurt`);
    await bringAll(blobs, found, options.known ?? new Map());
  } catch (error) {
    // The first command may have been ended before there was a store.
    if (!isIngotError(error, 'store-not-found')) found.failures.push(`looking at the store: ${String(error)}`);
  }
  return found;
}

type Found = { versions: Map<string, string>; aliases: Map<string, number>; failures: string[] };

async function bringAll(blobs: BlobStore, found: Found, known: ReadonlyMap<string, string>): Promise<void> {
  await using registry = openLogRegistry({ blobs, actor: 'judge' });
  const contents = createBlobContentStore(blobs);
  for await (const { name } of registry.models()) {
    const { all, aliases } = await registry.model(name);
    for (const { number, status } of all) {
      if (status === 'deleted') continue;
      const ref = `${name}:${number}`;
      try {
        found.versions.set(ref, known.get(ref) ?? (await brought(ref, { registry, contents })));
      } catch (error) {
        found.failures.push(`${ref} is listed and cannot be had: ${String(error)}`);
      }
    }
    const numbers = new Set(all.filter(({ status }) => status !== 'deleted').map(({ number }) => number));
    for (const [alias, number] of Object.entries(aliases)) {
      found.aliases.set(`${name}@${alias}`, number);
      if (!numbers.has(number)) found.failures.push(`${name}@${alias} names version ${number}, which is not there`);
    }
  }
}

/** Brings a version and gives its fingerprint. */
export async function brought(ref: string, from: Omit<Parameters<typeof pull>[1], 'output'>): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'ingot-judge-'));
  try {
    const { path, files } = await pull(ref, { ...from, output: join(directory, 'out') });
    return fingerprintOf(path, files);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Compares what is there with what may be: each version and each alias is as it was before a command, or as the command
 * was to make it. Gives one line for each that is neither.
 */
export function differences(observed: Ledger, before: Ledger, after: Ledger): string[] {
  return (['versions', 'aliases'] as const).flatMap((kind) =>
    [...new Set([...observed[kind].keys(), ...before[kind].keys(), ...after[kind].keys()])]
      .filter((name) => {
        const now = observed[kind].get(name);
        return now !== before[kind].get(name) && now !== after[kind].get(name);
      })
      .map((name) => {
        const [now, was, tobe] = [observed, before, after].map((ledger) => ledger[kind].get(name) ?? 'nothing');
        return `${name} is ${now}; it was ${was} and was to be ${tobe}`;
      }),
  );
}

/** Judges a store of which a command that changed `before` to `after` was acknowledged, or not. Gives what is there. */
export async function judge(
  blobs: BlobStore,
  { before, after, acknowledged }: { readonly before: Ledger; readonly after: Ledger; readonly acknowledged: boolean },
  options: ObserveOptions = {},
): Promise<Observed> {
  const observed = await observe(blobs, options);
  return {
    ...observed,
    failures: [...observed.failures, ...differences(observed, acknowledged ? after : before, after)],
  };
}

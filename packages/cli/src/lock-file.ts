/**
 * `ingot.lock` pins references for a deployment: `{"lock": 1, "references": {"churn@production": {"version": 7, "digest":
 * "sha256:…", …}}}`. Each entry holds all that resolving gives, so that a pinned version is had from the cache alone.
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isDigest } from '@ingot/core/digest';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import type { Reference } from '@ingot/core/ref';
import { formatReference, parseModelName, parseReference } from '@ingot/core/ref';
import { Fields } from '@ingot/core/registry/fields';
import { parseRecipeRef } from '@ingot/core/registry/model-fold';
import type { ResolvedVersion } from '@ingot/core/registry/registry';
import type { Settings } from './settings/settings.ts';

/** What a lock file is called where it is found by itself. */
export const LOCK_NAME = 'ingot.lock';
const FORMAT = 1;

/** What a reference is pinned to. */
export type LockedVersion = Omit<ResolvedVersion, 'reference' | 'staleSince'>;

/** A lock file that was read. */
export interface LockFile {
  readonly path: string;
  /** By the reference as `formatReference` writes it. */
  readonly references: ReadonlyMap<string, LockedVersion>;
}

/** Where the lock file is, or would be: `--lock`, `INGOT_LOCK`, else `ingot.lock` of the working directory. */
export function lockPath(settings: Settings, cwd: string): string {
  return settings.path('lock') ?? resolve(cwd, LOCK_NAME);
}

/**
 * Reads the lock that counts for this run; undefined where there is none and none was asked for.
 * @throws IngotError `path-not-found` for one that was named or is needed, `invalid-config` for one that is malformed.
 */
export async function findLock(settings: Settings, cwd: string): Promise<LockFile | undefined> {
  const path = lockPath(settings, cwd);
  const isWanted = settings.path('lock') !== undefined || settings.isOn('locked');
  if (!existsSync(path)) {
    if (!isWanted) return undefined;
    throw new IngotError('path-not-found', `there is no lock file ${path}`, {
      operation: 'lock',
      hint: `ingot lock churn@production   (writes ${LOCK_NAME})`,
    });
  }
  return await readLock(path);
}

const UNMERGED = 'it holds the marks of a merge that is not finished';

/** Reads a lock file; one that does not exist pins nothing. */
export async function readLock(path: string): Promise<LockFile> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return { path, references: new Map() };
  try {
    return { path, references: parse(JSON.parse(text)) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const isUnmerged = /^<{7} /m.test(text);
    throw new IngotError('invalid-config', `${path} is not a lock file: ${isUnmerged ? UNMERGED : why}`, {
      cause,
      hint: isUnmerged
        ? 'git checkout --ours ingot.lock   (or --theirs), then: ingot lock --update'
        : 'rm ingot.lock, then: ingot lock REFERENCE …',
    });
  }
}

/** Writes a lock file, whole or not at all: sorted, so that a change of one reference is a change of its lines only. */
export async function writeLock({ path, references }: LockFile): Promise<void> {
  const sorted = [...references].sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify({ lock: FORMAT, references: Object.fromEntries(sorted.map(written)) }, null, 2);
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, `${text}\n`, { flush: true });
  await rename(temporary, path);
}

function written([reference, locked]: readonly [string, LockedVersion]): [string, object] {
  const { model, number, label, manifest, modelId, recipe, seq } = locked;
  return [reference, { model, version: number, label: label ?? null, digest: manifest, modelId, recipe, seq }];
}

function parse(value: unknown): ReadonlyMap<string, LockedVersion> {
  if (!isJsonObject(value) || value.lock !== FORMAT) throw new Error(`it does not say "lock": ${FORMAT}`);
  if (!isJsonObject(value.references)) throw new Error('it has no "references"');
  return new Map(
    Object.entries(value.references).map(([text, entry]) => [normal(parseReference(text)), locked(text, entry)]),
  );
}

function locked(text: string, entry: unknown): LockedVersion {
  if (!isJsonObject(entry)) throw new Error(`"${text}" is no object`);
  const { model, version, label, digest, modelId, seq } = entry;
  const recipe = parseRecipeRef(new Fields(entry, text).inner('recipe'));
  if (typeof model !== 'string' || typeof modelId !== 'string') throw new Error(`"${text}" does not name its model`);
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1 || typeof seq !== 'number')
    throw new Error(`"${text}" has no version number`);
  if (typeof digest !== 'string' || !isDigest(digest)) throw new Error(`"${text}" has no digest`);
  const named = typeof label === 'string' ? { label } : {};
  return { model: parseModelName(model), modelId, number: version, manifest: digest, recipe, seq, ...named };
}

/** A reference as the keys of a lock have it. */
export function normal(reference: Reference): string {
  return formatReference(reference);
}

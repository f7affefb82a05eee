/**
 * A *baked source* is a directory that holds a version whole, as an image has it: `baked:/models/churn`. It is served with
 * no registry, no cache and no network.
 */

import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { IngotError } from '@ingot/core/errors';
import { BAKED_DIRECTORY, type BakedPackage, isBaked, openBakedPackage } from '@ingot/core/package/baked-package';
import type { CachedModelSource } from './model-source.ts';

const SCHEME = 'baked:';
/** `/models`, a namespace and a name; the root of an image that was mounted is one above. */
const MOST_LEVELS = 3;

/** Says whether a source names a directory that was baked. */
export function isBakedSource(source: string): boolean {
  return source.startsWith(SCHEME);
}

/**
 * Gives sources with every directory that was baked by its own name: `baked:/models` stands for all models in it, and the
 * path of a baked directory for that one. Others stay as they are.
 * @param options.waitMs how long a `baked:` directory may take to be there, as where another container mounts it. Default: 0.
 * @throws IngotError `not-found` for a `baked:` directory that holds none.
 * @example
 * await expandBaked(['baked:/models', 'fraud@production'], '/'); // ['baked:/models/churn', 'fraud@production']
 */
export async function expandBaked(
  sources: readonly string[],
  cwd: string,
  options: WaitOptions = {},
): Promise<readonly string[]> {
  const expanded = await Promise.all(sources.map((source) => expandOne(source, cwd, options)));
  return [...new Set(expanded.flat())];
}

interface WaitOptions {
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

const LOOKS_EVERY_MS = 100;

async function expandOne(source: string, cwd: string, options: WaitOptions): Promise<readonly string[]> {
  if (!isBakedSource(source)) {
    const path = pathOf(source, cwd);
    return path !== undefined && (await isBaked(path)) ? [`${SCHEME}${path}`] : [source];
  }
  const directory = resolve(cwd, source.slice(SCHEME.length));
  const found = await bakedWithin(directory, options);
  if (found.length > 0) return found.map((path) => `${SCHEME}${path}`);
  throw new IngotError('not-found', `there is no baked model in ${directory}`, {
    operation: 'serve',
    hint: 'ingot bake churn@production --model-only -o …   makes one; INGOT_MODELS names others',
  });
}

/** A path of this machine, as plain addresses are written. */
function pathOf(source: string, cwd: string): string | undefined {
  if (/^file:\/\//i.test(source)) {
    try {
      return fileURLToPath(source);
    } catch {
      return undefined; // told by whoever reads plain addresses
    }
  }
  return /^(?:\/|\.{1,2}(?:\/|$))/.test(source) ? resolve(cwd, source) : undefined;
}

async function bakedWithin(directory: string, { waitMs = 0, signal }: WaitOptions): Promise<readonly string[]> {
  for (let leftMs = waitMs; ; leftMs -= LOOKS_EVERY_MS) {
    const found = await bakedBelow(directory, MOST_LEVELS);
    if (found.length > 0 || leftMs <= 0) return found;
    await sleep(LOOKS_EVERY_MS);
    if (signal?.aborted) throw new IngotError('interrupted', 'starting was interrupted');
  }
}

async function bakedBelow(directory: string, levels: number): Promise<readonly string[]> {
  if (await isBaked(directory)) return [directory];
  if (levels === 0) return [];
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
  const found = await Promise.all(names.sort().map((name) => bakedBelow(join(directory, name), levels - 1)));
  return found.flat();
}

/** Makes a source of baked models. A directory is read again when what it says of itself has changed. */
export function bakedModels(): CachedModelSource {
  const opened = new Map<string, { readonly mark: string; readonly found: BakedPackage }>();

  async function open(source: string): Promise<BakedPackage> {
    const directory = source.slice(SCHEME.length);
    const mark = await markOf(directory);
    const known = opened.get(directory);
    if (known !== undefined && known.mark === mark) return known.found;
    const found = await openBakedPackage(directory);
    opened.set(directory, { mark, found });
    return found;
  }

  return {
    async resolve(source) {
      const { model, modelId, number, version, label, digest } = (await open(source)).version;
      const named = version === undefined ? {} : { version };
      return { source, model, modelId, number, digest, ...named, ...(label !== undefined && { label }) };
    },
    fetchPackage: async ({ source }) => (await open(source)).cached,
    fetch: async ({ source }) => (await open(source)).cached.servable,
  };
}

/** One look at one file, several times a second. */
async function markOf(directory: string): Promise<string> {
  const found = await stat(join(directory, BAKED_DIRECTORY, 'baked.json')).catch(() => undefined); // opening it tells why
  return found === undefined ? '' : `${found.ino} ${found.mtimeMs} ${found.size}`;
}

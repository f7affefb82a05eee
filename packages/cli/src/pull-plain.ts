import { resolve } from 'node:path';
import type { CachedPackage, PackageCache } from '@ingot/core/package/cache';
import { pull } from '@ingot/core/pull';
import { cachedContents } from '@ingot/core/source-contents';
import type { SourcePackage } from '@ingot/core/source-reader';
import type { SourceRecord } from '@ingot/core/source-record';
import type { Context, Result } from './context.ts';
import { describePackage } from './describe-version.ts';
import { openCache } from './open-cache.ts';
import { sourceDocument } from './output/source-section.ts';
import { count, formatTime } from './output/units.ts';
import { packageEnvironment } from './package-environment.ts';
import { nameOfSource, openSourceReader } from './plain-sources.ts';

/** `ingot pull ADDRESS`: the files of a plain address as a package, in a directory or in the cache. */
export async function pullPlain(text: string, context: Context): Promise<Result> {
  await using cache = openCache(context.settings, context.now);
  return context.arguments.isOn('cached')
    ? await intoCache(text, cache, context)
    : await intoDirectory(text, cache, context);
}

function readerFor(cache: PackageCache, context: Context) {
  const { cwd, now, progress, settings } = context;
  return openSourceReader(settings, { cache, cwd, now, onProgress: progress.onProgress });
}

async function intoCache(text: string, cache: PackageCache, context: Context): Promise<Result> {
  const { arguments: given, signal, progress } = context;
  const first = await readerFor(cache, context).open(text, { signal });
  const found = given.text('verify') === 'always' ? await verified(first, text, cache, context) : first;
  const { directory, description } = found.cached;
  const result = told(found, directory, count(description.files.length, 'file'), context);
  if (!given.isOn('environment')) return result;
  const environment = await packageEnvironment({ description }, directory, cache, context);
  progress.clear();
  return { ...result, json: { ...plainDocument(found, directory), environment } };
}

/** Reads every byte that lies in the cache; what is damaged comes again. */
async function verified(
  found: SourcePackage,
  text: string,
  cache: PackageCache,
  context: Context,
): Promise<SourcePackage> {
  const { signal, progress } = context;
  const [checked] = await cache.verify({ only: found.record.manifest, signal, onProgress: progress.onProgress });
  if (checked === undefined || checked.damaged.length === 0) return found;
  return await readerFor(cache, context).open(text, { signal });
}

async function intoDirectory(text: string, cache: PackageCache, context: Context): Promise<Result> {
  const { signal, progress, cwd } = context;
  const reader = readerFor(cache, context);
  const found = await reader.open(text, { signal });
  const { contents, recipe } = await cachedContents(found.cached);
  const { model, version, manifest } = found.record;
  const resolved = { model, modelId: '', number: version.number ?? 1, manifest, recipe, seq: 0 };
  const registry = {
    resolve: async (reference: Parameters<typeof pull>[0] & object) => ({ reference, ...resolved }),
  };
  const output = resolve(cwd, context.arguments.text('output') ?? model.split('/').at(-1) ?? model);
  const pulled = await pull(
    { name: model, selector: { kind: 'latest' } },
    { registry, contents, output, signal, onProgress: progress.onProgress },
  );
  const state = pulled.existed ? 'was there already' : count(pulled.files.length, 'file');
  return told(found, pulled.path, state, context);
}

function told(found: SourcePackage, path: string, state: string, context: Context): Result {
  const { colors } = context.terminal.out;
  const { record, staleSince } = found;
  return {
    json: plainDocument(found, path),
    quiet: [nameOfSource(found)],
    human: () => `${colors.bold(nameOfSource(found))}  ${state}\n${path}\n`,
    notes: [
      `${record.location}: ${record.because}`,
      ...record.notes,
      ...(staleSince === undefined
        ? []
        : [`the storage does not answer; this is what was known at ${formatTime(staleSince)}`]),
    ],
  };
}

/** The `--json` document of a pull of plain files. */
export function plainDocument(found: SourcePackage, path: string): Readonly<Record<string, unknown>> {
  const { record, cached, staleSince } = found;
  return {
    ref: nameOfSource(found),
    model: record.model,
    modelId: null,
    version: versionIn(record),
    label: record.version.label ?? null,
    digest: record.manifest,
    path,
    files: filesOf(cached),
    package: describePackage(cached.description),
    captured: null,
    staleSince: staleSince ?? null,
    source: sourceDocument(record),
  };
}

/** A number where the name is one, as for a registry's versions; else the text. */
function versionIn({ version }: SourceRecord): number | string {
  return version.number ?? version.text;
}

function filesOf({ description }: CachedPackage): string[] {
  return description.files.map((file) => file.path);
}

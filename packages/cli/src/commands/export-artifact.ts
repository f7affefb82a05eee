import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { OciArchiveWriter } from '@ingot/core/oci/archive-writer';
import { OciLayout } from '@ingot/core/oci/layout';
import type { OciPlace } from '@ingot/core/oci/oci-place';
import { parseRegistryAddress } from '@ingot/core/oci/registry-address';
import type { CachedPackage } from '@ingot/core/package/cache';
import { fileContents } from '@ingot/core/package/file-contents';
import { parseManifest } from '@ingot/core/package/manifest-read';
import { openStoredPackage } from '@ingot/core/package/stored-package';
import { originOf, readHistory } from '@ingot/core/promote-origin';
import { factsOf } from '@ingot/core/promote-version';
import { type PushedArtifact, type PushedVersion, pushArtifact } from '@ingot/core/push-artifact';
import { parseReference } from '@ingot/core/ref';
import { keepLastTold } from '@ingot/core/source-layout';
import { isOciAddress, ociSourceOf, parseOciAddress } from '@ingot/core/source/oci-address';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Context, Result } from '../context.ts';
import { openCache } from '../open-cache.ts';
import { openRepository } from '../open-repository.ts';
import { openStore } from '../open.ts';
import { formatTable } from '../output/table.ts';
import { formatBytes } from '../output/units.ts';
import { openSourceReader } from '../plain-sources.ts';
import { registryEnd } from '../registry-end.ts';

/** Where artifacts go. What is disposed unfinished has no name. */
interface Target extends AsyncDisposable {
  readonly to: OciPlace;
  /** Tags of a version there, and what others call it by the first. */
  tagsOf(version: Exported): readonly string[];
  calledBy(tag: string): string;
  /** Is told of each version that is there. */
  arrived?(pushed: PushedArtifact): Promise<void>;
  finish(): Promise<void>;
}

/** A version that is exported. */
interface Exported {
  readonly name: string;
  /** `7`, or what a plain address calls it. */
  readonly version: string;
  readonly aliases: readonly string[];
  readonly pushed: PushedVersion;
}

/** Pushes versions to a registry, a layout or an archive, as the artifacts that they are. */
export async function exportArtifacts(output: string, context: Context): Promise<Result> {
  const { arguments: given, signal, progress } = context;
  for (const option of ['platform', 'python-version', 'no-wheels'])
    if (given.text(option) !== undefined || given.isOn(option))
      throw new IngotError('usage', `--${option} goes with a bundle, and not with ${output}`, {
        hint: 'ingot export churn -o churn.tar',
      });
  const sources = given.isOn('all-versions') ? await allVersions(context) : given.rest(0);
  await using target = await openTarget(output, sources.length, context);
  const done: { readonly exported: Exported; readonly pushed: PushedArtifact; readonly called: string }[] = [];
  for (const source of sources)
    await withVersion(source, context, async (exported) => {
      const tags = target.tagsOf(exported);
      const pushed = await pushArtifact(exported.pushed, target.to, { tags, signal, onProgress: progress.onProgress });
      await target.arrived?.(pushed);
      done.push({ exported, pushed, called: target.calledBy(tags[0] ?? '') });
    });
  await target.finish();
  return told(done, context);
}

/** With `--all-versions` a reference stands for its model. */
async function allVersions(context: Context): Promise<readonly string[]> {
  const { arguments: given, signal } = context;
  await using store = await openStore(context);
  const all: string[] = [];
  for (const text of given.rest(0)) {
    const { name, all: versions } = await store.registry.model(parseReference(text).name, { signal });
    const there = versions.filter(({ status }) => status !== 'deleted').map(({ number }) => number);
    all.push(...there.sort((a, b) => a - b).map((number) => `${name}:${number}`));
  }
  return all;
}

async function openTarget(output: string, count: number, context: Context): Promise<Target> {
  const address = parseOciAddress(output, context.cwd);
  const { kind, where, reference } = ociSourceOf(address);
  if (reference !== undefined && count > 1)
    throw new IngotError('usage', `"${reference}" can be one version's, and ${count} are to be exported`, {
      hint: `-o ${output.slice(0, output.length - reference.length - 1)}   (each is then called by its own number)`,
    });
  const single = reference === undefined ? undefined : [reference];
  const inLayout = ({ name, version }: Exported): readonly string[] => single ?? [`${name}:${version}`];
  if (kind === 'registry') {
    const { host, name, digest } = parseRegistryAddress(`${where}${reference === undefined ? '' : `:${reference}`}`);
    if (digest !== undefined) throw new IngotError('usage', `"${output}" names a digest, which only contents decide`);
    return {
      to: await openRepository({ host, name }, context),
      tagsOf: ({ version, aliases }) => single ?? [version, ...aliases],
      calledBy: (tag) => `oci://${host}/${name}:${tag}`,
      finish: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }
  if (kind === 'layout') {
    const layout = new OciLayout(where);
    return {
      to: layout,
      arrived: async ({ digest, told: now }) => {
        if (now !== undefined) await keepLastTold(layout, digest, now);
      },
      tagsOf: inLayout,
      calledBy: (tag) => `oci:${where}:${tag}`,
      finish: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }
  if (/^docker-archive:/i.test(output))
    throw new IngotError('usage', 'what `docker load` reads are images, and a model by itself is none', {
      hint: `ingot bake ${context.arguments.rest(0)[0] ?? 'churn'} --model-only -o ${output}`,
    });
  const writer = await OciArchiveWriter.begin(where);
  return {
    to: writer,
    tagsOf: inLayout,
    calledBy: (tag) => `oci-archive:${where}:${tag}`,
    finish: () => writer.finish(),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

async function withVersion(
  source: string,
  context: Context,
  use: (exported: Exported) => Promise<void>,
): Promise<void> {
  if (isPlainAddress(source) || isOciAddress(source)) await withPlain(source, context, use);
  else await withReference(source, context, use);
}

async function withReference(
  source: string,
  context: Context,
  use: (exported: Exported) => Promise<void>,
): Promise<void> {
  const { signal } = context;
  await using store = await openStore(context);
  const { registry, contents } = store;
  const record = await registry.version(parseReference(source), { signal });
  if (record.status === 'deleted')
    throw new IngotError('version-not-found', `version ${record.number} of "${record.model}" was deleted`, {
      operation: 'export',
    });
  const { recipe, description, manifest, config, captured } = await openStoredPackage(contents, record, { signal });
  const end = await registryEnd(store, context);
  const origin = originOf(end, record, await readHistory(end, record.model, { signal }));
  await use({
    name: record.model,
    version: String(record.number),
    aliases: record.aliases,
    pushed: {
      manifest,
      config,
      description,
      open: ({ digest }) => contents.read(recipe, digest, { signal }),
      told: {
        name: record.model,
        origin,
        facts: factsOf(record),
        aliases: record.aliases,
        ...(captured === undefined ? {} : { captured: captured.bytes }),
      },
    },
  });
}

async function withPlain(source: string, context: Context, use: (exported: Exported) => Promise<void>): Promise<void> {
  const { settings, cwd, now, progress, signal } = context;
  await using cache = openCache(settings, now);
  const reader = openSourceReader(settings, { cache, cwd, now, onProgress: progress.onProgress });
  const { record, cached } = await reader.open(source, { signal });
  await use({ name: record.model, version: record.version.text, aliases: [], pushed: await cachedVersion(cached) });
}

async function cachedVersion({ directory, description: { files }, manifest }: CachedPackage): Promise<PushedVersion> {
  const document = (name: string): Promise<Uint8Array> => readFile(join(dirname(directory), name));
  const [bytes, config] = [await document('manifest.json'), await document('config.json')];
  const contents = fileContents(files);
  return {
    manifest: bytes,
    config,
    description: parseManifest(bytes, { expected: manifest, contents }),
    open: ({ path }) => createReadStream(join(directory, path), { highWaterMark: 1024 * 1024 }),
  };
}

const COLUMNS = [{ title: '' }, { title: '' }, { title: '', align: 'right' as const }];

function told(
  done: readonly { readonly exported: Exported; readonly pushed: PushedArtifact; readonly called: string }[],
  { terminal: { out } }: Context,
): Result {
  const rows = done.map(({ exported: { name, version }, pushed, called }) => [
    out.colors.bold(`${name}:${version}`),
    called,
    `${formatBytes(pushed.newBytes)} sent`,
  ]);
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return {
    json: {
      versions: done.map(({ exported: { name, version, aliases }, pushed, called }) => ({
        model: name,
        version: /^\d{1,15}$/.test(version) ? Number(version) : version,
        aliases,
        address: called,
        digest: pushed.digest,
        newBytes: pushed.newBytes,
        storedBytes: pushed.storedBytes,
      })),
    },
    quiet: done.map(({ called }) => called),
    human: () => formatTable(COLUMNS, rows, { width, colors: out.colors, header: false }),
    notes: done.length === 0 ? [] : [`to read it: ingot pull ${done[0]?.called}`],
  };
}

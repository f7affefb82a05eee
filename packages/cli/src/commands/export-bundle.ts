import { resolve } from 'node:path';
import { type ExportedBundle, exportBundle } from '@ingot/core/bundle-export';
import type { Reference } from '@ingot/core/ref';
import { parseReference } from '@ingot/core/ref';
import { bundleWheels } from '../bundle-wheels.ts';
import type { Context, Result } from '../context.ts';
import { type OpenedStore, openStore } from '../open.ts';
import { formatTable } from '../output/table.ts';
import { count, formatBytes } from '../output/units.ts';
import { registryEnd } from '../registry-end.ts';

/** Writes versions with their histories and the wheels of their environments into one file. */
export async function exportToBundle(output: string, context: Context): Promise<Result> {
  const { arguments: given, cwd, signal, progress } = context;
  await using store = await openStore(context);
  const references = await chosen(given.rest(0).map(parseReference), store, context);
  await using wheels = await bundleWheels(store, context);
  const exported = await exportBundle(references, {
    ...(await registryEnd(store, context)),
    output: resolve(cwd, output),
    signal,
    onProgress: progress.onProgress,
    ...(wheels.choose === undefined ? {} : { wheels: wheels.choose }),
  });
  return told(exported, output, context);
}

/** With `--all-versions` a reference stands for its model. */
async function chosen(
  references: readonly Reference[],
  { registry }: OpenedStore,
  { arguments: given, signal }: Context,
): Promise<readonly Reference[]> {
  if (!given.isOn('all-versions')) return references;
  const all: Reference[] = [];
  for (const { name } of references) {
    const { all: versions } = await registry.model(name, { signal });
    for (const { number, status } of versions)
      if (status !== 'deleted') all.push({ name, selector: { kind: 'version', number } });
  }
  return all;
}

function told(
  { path, sizeBytes, digest, models }: ExportedBundle,
  output: string,
  { terminal: { out } }: Context,
): Result {
  const versions = models.flatMap(({ name, aliases, versions: all }) =>
    all.map(({ origin, facts, contents }) => ({
      model: name,
      version: origin.number,
      digest: facts.manifest,
      aliases: Object.entries(aliases).flatMap(([alias, number]) => (number === origin.number ? [alias] : [])),
      sizeBytes: facts.sizeBytes,
      wheels: contents.filter(({ role }) => role === 'wheel').map(({ path: file }) => file ?? ''),
    })),
  );
  const rows = versions.map(({ model, version, aliases, sizeBytes: size, wheels }) => [
    out.colors.bold(`${model}:${version}`),
    aliases.map((alias) => out.colors.green(`@${alias}`)).join(' '),
    formatBytes(size),
    wheels.length === 0 ? out.colors.dim('no wheels') : count(wheels.length, 'wheel'),
  ]);
  const columns = [{ title: '' }, { title: '' }, { title: '', align: 'right' as const }, { title: '' }];
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return {
    json: { path, sizeBytes, digest, versions },
    quiet: [path],
    human: () =>
      `${formatTable(columns, rows, { width, colors: out.colors, header: false })}${output}  ${formatBytes(sizeBytes)}\n${out.colors.dim(digest)}\n`,
    notes: [`on the other side: ingot import ${output}`],
  };
}

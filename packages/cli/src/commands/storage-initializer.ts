import { resolve } from 'node:path';
import { modelLayer } from '@ingot/core/deploy/model-layer';
import { IngotError } from '@ingot/core/errors';
import { BAKED_DIRECTORY, isBaked, openBakedPackage } from '@ingot/core/package/baked-package';
import { formatReference, parseReference } from '@ingot/core/ref';
import { openModelToBake } from '../bake/model-to-bake.ts';
import type { Context, Result } from '../context.ts';
import { placeLayer } from '../deploy/place-layer.ts';

/**
 * `ingot storage-initializer URI DIRECTORY …`: brings models to directories, as KServe calls the container of a
 * `ClusterStorageContainer`: one or several pairs of where from and where to. Done again, it finds what is there.
 */
export async function run(context: Context): Promise<Result> {
  const words = context.arguments.rest(0);
  if (words.length % 2 !== 0)
    throw new IngotError('usage', 'each address is followed by the directory that it goes to', {
      hint: 'ingot storage-initializer ingot://churn@production /mnt/models',
    });
  const pairs = words.flatMap((uri, index) => {
    const directory = words[index + 1];
    return index % 2 === 0 && directory !== undefined ? [{ source: sourceOf(uri), directory }] : [];
  });
  const placed: Placed[] = [];
  for (const { source, directory } of pairs) placed.push(await place(source, resolve(context.cwd, directory), context));
  return {
    json: { models: placed },
    quiet: placed.map(({ ref }) => ref),
    human: () => placed.map(({ ref, directory, digest }) => `${ref}  ${directory}  ${digest}\n`).join(''),
  };
}

interface Placed {
  readonly ref: string;
  readonly digest: string;
  readonly directory: string;
  /** Whether it lay there already. */
  readonly existed: boolean;
}

const SCHEME = 'ingot://';

/** `ingot://team/churn@production` is the reference behind the scheme. */
function sourceOf(uri: string): string {
  if (uri.toLowerCase().startsWith(SCHEME))
    return formatReference(parseReference(uri.slice(SCHEME.length).replace(/\/$/, '')));
  throw new IngotError('usage', `"${uri}" is no address of a model: it begins with ${SCHEME}`, {
    hint: 'ingot storage-initializer ingot://churn@production /mnt/models',
  });
}

async function place(source: string, directory: string, context: Context): Promise<Placed> {
  await using held = await openModelToBake(source, context);
  const { called, version } = held.model;
  const told = { ref: called, digest: version.digest, directory };
  if (await liesThere(directory, version.digest)) return { ...told, existed: true };
  await using layer = await modelLayer({ ...held.model, at: 'model' }).make({
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
  // What says that the model is whole is written last.
  await placeLayer(layer.entries, { below: 'model', directory, last: `${BAKED_DIRECTORY}/baked.json` });
  await openBakedPackage(directory);
  return { ...told, existed: false };
}

async function liesThere(directory: string, digest: string): Promise<boolean> {
  if (!(await isBaked(directory))) return false;
  try {
    return (await openBakedPackage(directory)).version.digest === digest;
  } catch {
    return false; // A damaged one is brought again.
  }
}

import type { BlobStore } from '@ingot/core/blob/blob-store';
import { openBlobStore } from '@ingot/core/blob/open';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { type MirrorResult, mirror } from '@ingot/core/mirror';
import { detachMirror } from '@ingot/core/mirror-detach';
import { parseModelName } from '@ingot/core/ref';
import { isRegistryServer, openServerClient } from '@ingot/core/registry/http/server-client';
import { openLogRegistry } from '@ingot/core/registry/open';
import { addressOf, layoutIn, rememberedDirectory } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { probeBeforePublishing } from '../doctor/probe-before-publishing.ts';
import { warningsOf } from '../open.ts';
import { count, formatBytes, formatTime } from '../output/units.ts';
import { mayBeServer } from '../server-address.ts';

/** `ingot mirror SRC DST`: copies what DST lacks of SRC, byte for byte. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given, progress, signal } = context;
  const [from, to] = [given.argument(0), given.argument(1)];
  const [dryRun, names] = [given.isOn('dry-run'), given.list('model').map(parseModelName)];
  if (given.isOn('detach')) return await detached(from, context);
  if (to === '')
    throw new IngotError('usage', 'mirror takes two addresses: the store, and where its copy is to be', {
      hint: `ingot mirror ${from} DST`,
    });
  if (await leadsToServer([from, to], context))
    return await (await import('./mirror-registries.ts')).mirrorRegistries({ from, to }, context);
  if (given.isOn('no-aliases'))
    throw new IngotError(
      'usage',
      '--no-aliases is for a mirroring that a server takes part in: stores are copied whole',
    );
  const source = await opened(from, 'SRC', context);
  const destination = await opened(to, 'DST', context);
  if (!dryRun) await probe(to, destination, context);
  const models = names.length === 0 ? undefined : await idsOf(names, source, context);
  const started = performance.now();
  const { onProgress } = progress;
  const options = { source, destination, dryRun, onProgress, signal };
  const result = await mirror({ ...options, ...(models === undefined ? {} : { models }) });
  return told(result, (performance.now() - started) / 1000);
}

/** Copies are only safe where a key is created once, as for every other writer. */
async function probe(text: string, blobs: BlobStore, context: Context): Promise<void> {
  const remembered = rememberedDirectory(context.settings, address(text, 'DST', context));
  await probeBeforePublishing(blobs, { ...context, remembered, another: () => opened(text, 'DST', context) });
}

async function idsOf(
  names: readonly ReturnType<typeof parseModelName>[],
  blobs: BlobStore,
  context: Context,
): Promise<ReadonlySet<string>> {
  const registry = openLogRegistry({ blobs, actor: 'mirror', clock: context.now });
  const models = await Promise.all(names.map((name) => registry.model(name, { signal: context.signal })));
  return new Set(models.map(({ id }) => id));
}

function told(result: MirrorResult, seconds: number): Result {
  const { events, packs, models, dryRun, source, destination } = result;
  return {
    json: { ...result, seconds: Number(seconds.toFixed(3)) },
    quiet: [String(events.new)],
    human: () => {
      const bytes = packs.bytes === 0 ? '' : ` (${formatBytes(packs.bytes)})`;
      const what =
        events.new === 0 && packs.new === 0
          ? 'nothing is new'
          : `${dryRun ? 'would copy' : 'copied'} ${count(events.new, 'event')} and ${count(packs.new, 'pack')}${bytes}`;
      const time = dryRun ? '' : ` in ${seconds.toFixed(1)} s`;
      return `${what}${time}; ${count(models, 'model')}, ${count(events.new + events.there, 'event')} in all\n`;
    },
    notes: dryRun ? [] : [`${destination} follows ${source} and takes no other writes`],
  };
}

/** `ingot mirror --detach MIRROR`. */
async function detached(text: string, context: Context): Promise<Result> {
  const { arguments: given, settings, now, signal } = context;
  if (given.argument(1) !== '' || given.isOn('dry-run') || given.isOn('no-aliases') || given.list('model').length > 0)
    throw new IngotError('usage', '--detach takes one address, that of the mirror, and goes with nothing else', {
      hint: 'ingot mirror --detach MIRROR',
    });
  const blobs = await opened(text, 'MIRROR', context);
  await probe(text, blobs, context);
  const result = await detachMirror({ blobs, actor: settings.text('actor') ?? 'unknown', clock: now, signal });
  const { models, versions, newestEventAt, from, at } = result;
  return {
    json: result,
    quiet: [result.address],
    human: () =>
      `${result.address} is a store of its own since ${formatTime(at)}, with ${count(models, 'model')} and ${count(versions, 'version')}\n`,
    notes: [
      newestEventAt === null
        ? `it has nothing of what ${from} had`
        : `its newest event is of ${formatTime(newestEventAt)}; what ${from} wrote later is not in it`,
      `next: set INGOT_REGISTRY=${result.address}, and keep everybody from writing to ${from}`,
    ],
  };
}

function address(text: string, origin: string, { cwd }: Context) {
  if (layoutIn(text) !== undefined)
    throw new IngotError('usage', `${text} is a layout: it has no store's histories that could be mirrored`, {
      operation: 'mirror',
      hint:
        origin === 'DST'
          ? `ingot export churn --all-versions -o ${text}   (adds to it)`
          : `ingot import ${text}   (brings all that is in it)`,
    });
  return addressOf({ text, origin, base: cwd });
}

async function opened(text: string, origin: string, context: Context): Promise<BlobStore> {
  const { text: complete } = address(text, origin, context);
  return await openBlobStore(complete, { env: context.settings.env, onWarning: warningsOf(context) });
}

/** A server hands out neither logs nor packs that one may not read, and takes no logs: versions are brought instead. */
async function leadsToServer(texts: readonly string[], context: Context): Promise<boolean> {
  const complete = texts.map((text, n) => address(text, n === 0 ? 'SRC' : 'DST', context).text);
  for (const text of complete) if (mayBeServer({ text }) && (await isServer(text, context))) return true;
  return false;
}

async function isServer(text: string, { settings: { env }, signal }: Context): Promise<boolean> {
  const client = await openServerClient(text, { env });
  return await isRegistryServer(client, signal).catch((error: unknown) => {
    // A web server that asks who one is before it hands out a store: the store's own login answers that.
    if (isIngotError(error, 'unauthenticated')) return false;
    throw error;
  });
}

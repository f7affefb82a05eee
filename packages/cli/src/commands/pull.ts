import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { openPackageCache } from '@ingot/core/package/cache';
import type { PullResult } from '@ingot/core/pull';
import { pull, pullToCache } from '@ingot/core/pull';
import type { Reference } from '@ingot/core/ref';
import { parseReference } from '@ingot/core/ref';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import { cacheRoot } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { followSources } from '../follow-sources.ts';
import { lastKnownResolver } from '../last-known-resolver.ts';
import { assembleStore } from '../open.ts';
import { count, formatTime } from '../output/units.ts';
import { pullPlain } from '../pull-plain.ts';
import { pulledDocument } from '../pulled-document.ts';

/** `ingot pull SOURCE`: writes a version's files to a directory, or brings them into the cache. */
export async function run(context: Context): Promise<Result | undefined> {
  const { arguments: given } = context;
  const sources = given.rest(0);
  for (const source of sources) if (!isPlainAddress(source)) parseReference(source);
  const [cached, follow, output] = [given.isOn('cached'), given.isOn('follow'), given.text('output')];
  if (follow && !cached)
    throw new IngotError('usage', '--follow goes with --cached', {
      hint: `ingot pull ${sources.join(' ')} --cached --follow`,
    });
  if (cached && output !== undefined) throw new IngotError('usage', '--cached and --output exclude each other');
  if (follow) {
    await followSources(sources, context);
    return undefined;
  }
  const [source] = sources;
  if (source === undefined || sources.length > 1)
    throw new IngotError('usage', 'pull takes one source; several go with --cached --follow');
  if (isPlainAddress(source)) return await pullPlain(source, context);
  const reference = parseReference(source);
  return told(cached ? await intoCache(reference, context) : await intoDirectory(reference, context), context);
}

async function intoCache(reference: Reference, context: Context): Promise<PullResult> {
  await using store = await assembleStore(context.settings, { now: context.now });
  await using cache = openPackageCache({ directory: cacheRoot(context.settings), clock: context.now });
  const offline = context.settings.isOn('offline');
  const registry = lastKnownResolver(store, { now: context.now, offline });
  return await pullToCache(reference, {
    registry,
    contents: store.contents,
    cache,
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
}

async function intoDirectory(reference: Reference, context: Context): Promise<PullResult> {
  await using store = await assembleStore(context.settings, { now: context.now });
  const output = resolve(context.cwd, context.arguments.text('output') ?? directoryOf(reference));
  const registry = lastKnownResolver(store, { now: context.now });
  return await pull(reference, {
    registry,
    contents: store.contents,
    output,
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
}

function directoryOf({ name }: Reference): string {
  return name.split('/').at(-1) ?? name;
}

function told(pulled: PullResult, context: Context): Result {
  const { colors } = context.terminal.out;
  const { staleSince } = pulled.resolved;
  const state = pulled.existed ? 'was there already' : count(pulled.files.length, 'file');
  return {
    json: pulledDocument(pulled),
    quiet: [pulled.ref],
    human: () => `${colors.bold(pulled.ref)}  ${state}\n${pulled.path}\n`,
    notes:
      staleSince === undefined
        ? []
        : [`the store does not answer; this is what was known at ${formatTime(staleSince)}`],
  };
}

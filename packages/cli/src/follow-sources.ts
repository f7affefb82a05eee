import type { PullResult, PullSourceOptions } from '@ingot/core/pull';
import { pullToCache } from '@ingot/core/pull';
import { openSignal } from '@ingot/core/open-signal';
import type { PackageCache } from '@ingot/core/package/cache';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import { SourceFollower } from '@ingot/core/source-follow';
import type { SourcePackage } from '@ingot/core/source-reader';
import type { Context } from './context.ts';
import { openCache } from './open-cache.ts';
import { openResolver } from './open-resolver.ts';
import { assembleStore, warningsOf } from './open.ts';
import { errorDocument, formatError, toIngotError } from './output/format-error.ts';
import { formatTime } from './output/units.ts';
import { nameOfSource, openSourceReader } from './plain-sources.ts';
import { plainDocument } from './pull-plain.ts';
import { pulledDocument } from './pulled-document.ts';

/** A moved alias is followed within two seconds. */
const INTERVAL_MS = 750;

/**
 * Keeps sources in the cache and says, one line each time, when one names another version, when the store stops or
 * starts to answer, and why one cannot be had. Ends with the signal, or when the program that started it is gone.
 */
export async function followSources(sources: readonly string[], context: Context): Promise<void> {
  await using store = await assembleStore(context.settings, { now: context.now, onWarning: warningsOf(context) });
  await using cache = openCache(context.settings, context.now);
  const registry = await openResolver(store, context.settings, context);
  const { signal, end } = openSignal(context.signal);
  context.onInputClosed(() => end());
  const { cwd, now, progress } = context;
  const reader = openSourceReader(context.settings, { cache, cwd, now, onProgress: progress.onProgress });
  const plain = new SourceFollower({ reader, clock: () => performance.now() });
  const options = { registry, contents: store.contents, cache, signal, plain };
  await Promise.all([...new Set(sources)].map((source) => followOne(source, options, context)));
}

interface FollowOptions extends PullSourceOptions {
  readonly cache: PackageCache;
  readonly plain: SourceFollower;
  readonly signal: AbortSignal;
}

async function followOne(source: string, options: FollowOptions, context: Context): Promise<void> {
  const { signal } = options;
  let told = '';
  while (!signal.aborted) {
    const line = await lineOf(source, options, context);
    if (signal.aborted) return;
    if (line.key !== told) context.terminal.out.write(`${line.text}\n`);
    told = line.key;
    await pause(INTERVAL_MS, signal);
  }
}

interface Line {
  /** Equal for lines that say the same. */
  readonly key: string;
  readonly text: string;
}

async function lineOf(source: string, options: FollowOptions, context: Context): Promise<Line> {
  try {
    if (isPlainAddress(source)) return plainLine(source, await options.plain.open(source, options), context);
    const pulled = await pullToCache(source, options);
    const { resolved } = pulled;
    return {
      key: `${resolved.modelId}:${resolved.number} ${resolved.staleSince !== undefined}`,
      text: pulledText(source, pulled, context),
    };
  } catch (thrown) {
    const error = toIngotError(thrown);
    const document = { source, ...Object(errorDocument(error)) };
    const text =
      context.format === 'json'
        ? JSON.stringify(document)
        : `${source}  ${formatError(error, context.terminal.out.colors).trimEnd()}`;
    return { key: `${error.code} ${error.message}`, text };
  }
}

function plainLine(source: string, found: SourcePackage, context: Context): Line {
  const { record, cached, staleSince } = found;
  const stale = staleSince === undefined ? '' : `  the storage has not answered since ${formatTime(staleSince)}`;
  const text =
    context.format === 'json'
      ? JSON.stringify({ source, ...plainDocument(found, cached.directory) })
      : `${source}  ${nameOfSource(found)}  ${cached.directory}${stale}`;
  return {
    key: `${nameOfSource(found)} ${record.manifest} ${staleSince !== undefined}`,
    text: context.format === 'quiet' ? nameOfSource(found) : text,
  };
}

function pulledText(source: string, pulled: PullResult, { format }: Context): string {
  if (format === 'json') return JSON.stringify({ source, ...pulledDocument(pulled) });
  if (format === 'quiet') return pulled.ref;
  const { staleSince } = pulled.resolved;
  return `${source}  ${pulled.ref}  ${pulled.path}${staleSince === undefined ? '' : `  the store has not answered since ${formatTime(staleSince)}`}`;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(clock);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const clock = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
  });
}

import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import type { PackageCache } from '@ingot/core/package/cache';
import { LINK_MODES, type LinkMode } from '@ingot/core/package/place-files';
import type { PullResult } from '@ingot/core/pull';
import { pull, pullToCache } from '@ingot/core/pull';
import type { Reference } from '@ingot/core/ref';
import { parseReference } from '@ingot/core/ref';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Context, Result } from '../context.ts';
import { followSources } from '../follow-sources.ts';
import { openCache } from '../open-cache.ts';
import { openResolver } from '../open-resolver.ts';
import { type PackageEnvironment, packageEnvironment } from '../package-environment.ts';
import { assembleStore, warningsOf } from '../open.ts';
import { count, formatBytes, formatTime } from '../output/units.ts';
import { pullPlain } from '../pull-plain.ts';
import { pulledDocument } from '../pulled-document.ts';
import { keepYoungSmall } from '../small-heap.ts';

/** `ingot pull SOURCE`: writes a version's files to a directory, or brings them into the cache. */
export async function run(context: Context): Promise<Result | undefined> {
  keepYoungSmall();
  const { arguments: given } = context;
  const sources = given.rest(0);
  for (const source of sources) if (!isPlainAddress(source)) parseReference(source);
  const [cached, follow, output] = [given.isOn('cached'), given.isOn('follow'), given.text('output')];
  if (follow && !cached)
    throw new IngotError('usage', '--follow goes with --cached', {
      hint: `ingot pull ${sources.join(' ')} --cached --follow`,
    });
  checkCachedOnly(context, cached, follow);
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
  if (cached && given.text('link') !== undefined)
    throw new IngotError('usage', '--link says how files come from the cache; with --cached they stay there');
  const pulled = await timed(() => (cached ? intoCache(reference, context) : intoDirectory(reference, context)));
  return told(pulled, context);
}

/** Refuses flags that say something about the cache alone. */
function checkCachedOnly({ arguments: given }: Context, cached: boolean, follow: boolean): void {
  for (const flag of ['environment', 'verify'] as const) {
    if (flag === 'verify' ? given.text(flag) === undefined : !given.isOn(flag)) continue;
    if (!cached) throw new IngotError('usage', `--${flag} goes with --cached`);
    if (follow) throw new IngotError('usage', `--${flag} and --follow exclude each other`);
  }
  const how = given.text('verify') ?? 'marks';
  if (how !== 'marks' && how !== 'always')
    throw new IngotError('usage', `--verify takes marks or always, not "${how}"`);
}

type Pulled = PullResult & { readonly environment?: PackageEnvironment };
type TimedPull = Pulled & { readonly seconds: number };

async function timed(work: () => Promise<Pulled>): Promise<TimedPull> {
  const started = performance.now();
  const pulled = await work();
  return { ...pulled, seconds: (performance.now() - started) / 1000 };
}

/** Reads `--link`. Throws `usage`. */
function linkMode(context: Context): LinkMode {
  const given = context.arguments.text('link') ?? 'auto';
  const mode = LINK_MODES.find((known) => known === given);
  if (mode === undefined)
    throw new IngotError('usage', `--link takes ${LINK_MODES.join(', ')}, not "${given}"`, { operation: 'pull' });
  return mode;
}

async function intoCache(reference: Reference, context: Context): Promise<Pulled> {
  const { arguments: given, settings, signal, progress } = context;
  await using store = await assembleStore(settings, { now: context.now, onWarning: warningsOf(context) });
  await using cache = openCache(settings, context.now);
  const registry = await openResolver(store, settings, context);
  const { onProgress } = progress;
  const again = () => pullToCache(reference, { registry, contents: store.contents, cache, signal, onProgress });
  const first = await again();
  const pulled = given.text('verify') === 'always' ? await verified(first, cache, again, context) : first;
  if (!given.isOn('environment')) return pulled;
  return { ...pulled, environment: await packageEnvironment(pulled, pulled.path, cache, context) };
}

/** Reads every byte of a package that lay in the cache already; a damaged one is fetched anew. */
async function verified<P extends PullResult>(
  pulled: P,
  cache: PackageCache,
  again: () => Promise<P>,
  { signal, progress }: Context,
): Promise<P> {
  if (pulled.bytes.fetched > 0) return pulled; // hashed while it came
  const only = pulled.resolved.manifest;
  const [found] = await cache.verify({ only, signal, onProgress: progress.onProgress });
  if (found === undefined || found.damaged.length === 0) return pulled;
  try {
    return await again();
  } catch (cause) {
    throw new IngotError(
      'integrity',
      `the cached copy of ${pulled.ref} had other bytes (${found.damaged.slice(0, 3).join(', ')}) and was removed, and it cannot be fetched again: ${cause instanceof Error ? cause.message : String(cause)}`,
      { operation: 'cache.verify', cause, details: { damaged: found.damaged } },
    );
  }
}

async function intoDirectory(reference: Reference, context: Context): Promise<PullResult> {
  const link = linkMode(context);
  await using store = await assembleStore(context.settings, { now: context.now, onWarning: warningsOf(context) });
  await using cache = openCache(context.settings, context.now);
  const output = resolve(context.cwd, context.arguments.text('output') ?? directoryOf(reference));
  const registry = await openResolver(store, context.settings, context);
  return await pull(reference, {
    registry,
    contents: store.contents,
    cache,
    link,
    clock: context.now,
    output,
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
}

function directoryOf({ name }: Reference): string {
  return name.split('/').at(-1) ?? name;
}

function told(pulled: TimedPull, context: Context): Result {
  const { colors } = context.terminal.out;
  const { bytes, seconds } = pulled;
  return {
    json: {
      ...pulledDocument(pulled),
      ...(pulled.environment && { environment: pulled.environment }),
      bytes,
      seconds: Number(seconds.toFixed(3)),
    },
    quiet: [pulled.ref],
    human: () =>
      `${colors.bold(pulled.ref)}  ${stateOf(pulled)}\n${pulled.path}\n${pulled.environment ? `${pulled.environment.python}  Python ${pulled.environment.version}\n` : ''}`,
    notes: notesOn(pulled, context),
  };
}

/** `203 files, 1.1 GB: 20 MB fetched, 1.1 GB were here, in 2.1 s`. */
function stateOf({ existed, files, bytes, seconds }: TimedPull): string {
  if (existed) return 'was there already';
  const parts = [
    `${formatBytes(bytes.fetched)} fetched`,
    ...(bytes.found === 0 ? [] : [`${formatBytes(bytes.found)} were here`]),
  ];
  return `${count(files.length, 'file')}, ${formatBytes(bytes.total)}: ${parts.join(', ')}, in ${seconds.toFixed(1)} s`;
}

function notesOn({ resolved, existed }: TimedPull, context: Context): string[] {
  const { staleSince } = resolved;
  return [
    ...(staleSince === undefined
      ? []
      : [
          context.settings.isOn('offline')
            ? `the store is not asked (INGOT_OFFLINE); this is what was known at ${formatTime(staleSince)}`
            : `the store does not answer; this is what was known at ${formatTime(staleSince)} (INGOT_OFFLINE=1 does not wait for it)`,
        ]),
    ...(context.arguments.text('link') === 'hard' && !existed
      ? ['these files are those of the cache, so they are read-only; copy one before you change it']
      : []),
  ];
}

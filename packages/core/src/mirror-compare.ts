import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import type { Digest } from './digest.ts';
import { compareLast, type Divergence, divergedError, type StorePair } from './mirror-logs.ts';
import { type ListedLog, type ListedLogs, listLogs } from './registry/care-logs.ts';

/** Prefix of the log of names. */
export const NAMES = 'names';

const COMPARED_AT_ONCE = 32;

/** A log of the source beside what the mirror has of it. */
export interface ComparedLog {
  readonly ours: ListedLog;
  readonly theirs: ListedLog;
  /** Number and digest of the last event that both have. */
  readonly there: number;
  readonly last: Digest | null;
}

/** Which logs to compare. */
export interface CompareOptions extends BlobOptions {
  /** Ids of models; names are compared always. Default: all. */
  readonly models?: ReadonlySet<string> | undefined;
  /** The mirror is empty. */
  readonly isNew: boolean;
}

/**
 * Compares the logs of both stores, by prefix. Names are listed before the models' logs, so that no name stands in the
 * mirror whose model does not.
 * @throws IngotError `conflict` when some differ, `tampered` when an event of the mirror is missing.
 */
export async function compareLogs(
  pair: StorePair,
  { models, isNew, ...options }: CompareOptions,
): Promise<ReadonlyMap<string, ComparedLog>> {
  const theirs = isNew ? new Map<string, ListedLog>() : (await listLogs(pair.destination, options)).logs;
  const ours = await listNamesFirst(pair.source, options);
  const compared = new Map<string, ComparedLog>();
  const differing: Divergence[] = [];
  const isWanted = (prefix: string): boolean =>
    models === undefined || prefix === NAMES || models.has(prefix.slice('models/'.length));
  const prefixes = [...new Set([...ours.keys(), ...theirs.keys()])].filter(isWanted);
  await inParallel(prefixes, COMPARED_AT_ONCE, async (prefix) => {
    const log = theirs.get(prefix) ?? noLog(prefix);
    const there = (log.missing[0] ?? log.length + 1) - 1;
    const last = await compareLast(pair, { prefix, there }, options);
    if (last !== null && typeof last === 'object') differing.push(last);
    else compared.set(prefix, { ours: atLeast(ours.get(prefix) ?? noLog(prefix), there), theirs: log, there, last });
  });
  if (differing.length > 0) throw divergedError(pair, differing);
  return compared;
}

/** Lists one model's log, by its prefix: `models/<id>`. */
export async function listLog(blobs: BlobStore, prefix: string, options: BlobOptions): Promise<ListedLog> {
  const { logs } = await listLogs(
    { list: (part, more) => (part === 'models/' ? blobs.list(`${prefix}/`, more) : noEntries()) },
    options,
  );
  return logs.get(prefix) ?? noLog(prefix);
}

async function listNamesFirst(source: BlobStore, options: BlobOptions): Promise<ListedLogs['logs']> {
  const names = await listLogs({ list: (part, more) => only('names/', part, source, more) }, options);
  const models = await listLogs({ list: (part, more) => only('models/', part, source, more) }, options);
  return new Map([...models.logs, ...names.logs]);
}

function only(wanted: string, part: string, blobs: BlobStore, more: Parameters<BlobStore['list']>[1]) {
  return part === wanted ? blobs.list(part, more) : noEntries();
}

async function* noEntries(): AsyncGenerator<never> {}

function noLog(prefix: string): ListedLog {
  return { prefix, length: 0, missing: [], heads: [], segments: [] };
}

/** A log is as long as what both have of it, also when a listing did not show its last events yet. */
function atLeast(log: ListedLog, length: number): ListedLog {
  return log.length >= length ? log : { ...log, length };
}

import { type NeededVersion, namelessVersions, ofDamagedHistory } from './check-affected.ts';
import { type DamagedVersion, REPAIR_COMMAND, RESTORE_IT } from './check-report.ts';
import type { CheckRun } from './check-run.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { type CheckedLog, checkListings, checkLog } from './registry/care-check.ts';
import { type ListedLog, listLogs } from './registry/care-logs.ts';

/** What the histories say must be there. */
export interface NeededByLogs {
  readonly needed: readonly NeededVersion[];
  /** Versions of logs that are damaged themselves. */
  readonly doubtful: readonly DamagedVersion[];
}

const LOGS_AT_ONCE = 4;
const CACHE_REPAIR = `${REPAIR_COMMAND} (or delete it)`;

/** Checks all logs with their caches, and the listings of the index. */
export async function checkLogs(run: CheckRun): Promise<NeededByLogs> {
  const { logs, strays } = await listLogs(run.blobs, run.call);
  run.remark('files that belong to no log', strays.length);
  const needed: NeededVersion[] = [];
  let names: ReadonlyMap<string, string> = new Map();
  let areNamesWhole = true;
  const doubtful: { readonly id: string; readonly numbers: readonly number[] }[] = [];
  await inParallel(logs.values(), LOGS_AT_ONCE, async (log) => {
    const found = await checkOne(run, log);
    if (log.prefix === 'names') {
      names = found.names;
      areNamesWhole = found.damage.every(({ isCache }) => isCache);
    }
    const id = log.prefix.slice('models/'.length);
    needed.push(...found.recipes.map((recipe) => ({ model: id, ...recipe })));
    doubtful.push({ id, numbers: found.doubtful });
  });
  // A model whose name nobody can tell any more cannot be asked for.
  if (!areNamesWhole) doubtful.push(...namelessVersions(needed, names));
  for (const { key, message } of await checkListings(run.blobs, run.call))
    run.note({ key, sort: 'cache', message, repair: CACHE_REPAIR });
  return {
    needed: needed.map((version) => ({ ...version, model: names.get(version.model) ?? version.model })),
    doubtful: doubtful.flatMap(({ id, numbers }) =>
      numbers.map((number) => ofDamagedHistory(names.get(id) ?? id, number)),
    ),
  };
}

async function checkOne(run: CheckRun, log: ListedLog): Promise<CheckedLog> {
  const found = await checkLog(run.blobs, log, run.call, () => {
    run.checked.events += 1;
    if (run.checked.events % 100 === 0) run.tell('events', String(run.checked.events));
  });
  run.checked.logs += 1;
  for (const { key, message, isCache } of found.damage)
    run.note({ key, sort: isCache ? 'cache' : 'log', message, repair: isCache ? CACHE_REPAIR : RESTORE_IT });
  run.remark('events that only a newer release knows', found.unknownKinds.length);
  return found;
}

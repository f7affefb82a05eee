import { openDatabase } from '@ingot/registry/database/database';
import { useAlone } from '@ingot/registry/operations/in-use';
import { type RebuildProgress, type RebuildReport, rebuildIndex } from '@ingot/registry/index/rebuild';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { plain } from '../output/terminal.ts';
import { count } from '../output/units.ts';
import { stateDirectory } from '../registry-server.ts';

const STOP_FIRST = 'stop the server first; without index.sqlite it also builds its index by itself when it starts';

/** Exit status for something of the store that is not whole. */
const NOT_WHOLE = 8;

/** `ingot reindex`: writes the registry server's index anew from the logs of the store. */
export async function run(context: Context): Promise<Result> {
  const { settings, now, signal, progress } = context;
  await using store = await openStore(context, { files: true });
  const directory = stateDirectory(settings);
  const address = settings.text('db');
  // A rebuild is one long transaction: what a server would write meanwhile fails.
  using _alone = address === undefined ? await useAlone(directory, STOP_FIRST) : undefined;
  await using database = await openDatabase({ directory, address });
  const startedAt = performance.now();
  const onProgress = (so: RebuildProgress): void =>
    progress.onProgress({ phase: 'check', path: 'the logs', doneBytes: 0, totalBytes: 0, message: tell(so) });
  const report = await rebuildIndex({ index: database.index, blobs: store.blobs, now, signal, onProgress });
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const { models, versions, events, problems } = report;
  return {
    json: { database: database.address, models, versions, events, seconds, problems },
    quiet: [String(versions)],
    human: () => `${text(report)} in ${seconds} s: ${plain(database.address)}\n`,
    notes: problems.map(({ log, message }) => `${log} is not in the index: ${plain(message)}`),
    ...(problems.length > 0 && { exitCode: NOT_WHOLE }),
  };
}

function tell({ logs, ofLogs, events }: RebuildProgress): string {
  return `${logs} of ${count(ofLogs, 'model')}, ${count(events, 'event')}`;
}

function text({ models, versions, events }: RebuildReport): string {
  return `indexed ${count(versions, 'version')} of ${count(models, 'model')} (${count(events, 'event')})`;
}

import { resolve } from 'node:path';
import { openDatabase } from '@ingot/registry/database/database';
import { useAlone } from '@ingot/registry/operations/in-use';
import { restoreBackup } from '@ingot/registry/operations/backup';
import type { Context, Result } from '../context.ts';
import { count } from '../output/units.ts';
import { stateDirectory } from '../registry-server.ts';

/** `ingot restore FILE`: puts a backup into an empty database. */
export async function run(context: Context): Promise<Result> {
  const { settings, cwd } = context;
  const path = resolve(cwd, context.arguments.argument(0));
  const directory = stateDirectory(settings);
  const address = settings.text('db');
  using _alone = address === undefined ? await useAlone(directory, 'stop the server first') : undefined;
  await using database = await openDatabase({ directory, address });
  const { tables, rows } = await restoreBackup(database, path);
  return {
    json: { path, database: database.address, rows, tables },
    quiet: [database.address],
    human: () => `${count(rows, 'row')} restored into ${database.address}\n`,
  };
}

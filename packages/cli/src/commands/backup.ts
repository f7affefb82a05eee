import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { openDatabase } from '@ingot/registry/database/database';
import { writeBackup } from '@ingot/registry/operations/backup';
import type { Context, Result } from '../context.ts';
import { count } from '../output/units.ts';
import { stateDirectory } from '../registry-server.ts';
import { toolVersion } from '../tool-version.ts';

/** `ingot backup -o FILE`: copies what is only the registry server's into one file. */
export async function run(context: Context): Promise<Result> {
  const { settings, now, cwd } = context;
  const output = context.arguments.text('output');
  if (output === undefined)
    throw new IngotError('usage', 'say where the backup goes', { hint: 'ingot backup -o ingot.backup' });
  const directory = stateDirectory(settings);
  await using database = await openDatabase({ directory, address: settings.text('db') });
  const path = resolve(cwd, output);
  const { tables, rows } = await writeBackup(database, { path, release: toolVersion(), now: now() });
  return {
    json: { path, database: database.address, rows, tables },
    quiet: [path],
    human: () => `${count(rows, 'row')} of ${database.address} in ${path}\n`,
    notes: [
      `models are in the store, not in this file; the key of webhooks’ secrets is ${resolve(directory, 'secrets.key')}`,
    ],
  };
}

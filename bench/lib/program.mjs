/** The command line that is measured: a copy of its own, so that a build meanwhile does not change it under a run. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { buildCli } from '../../scripts/build.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { STORAGE_HOME } from './folders.mjs';

/** Builds the command line and gives the entry file of a copy. */
export async function measuredProgram() {
  await buildCli();
  const stamp = createHash('sha256').update(readFileSync(inRoot('packages/cli/dist/.build'))).digest('hex').slice(0, 12);
  const home = join(STORAGE_HOME, 'program', stamp);
  const entry = join(home, 'bin/ingot.js');
  if (existsSync(entry)) return entry;
  const making = `${home}.${process.pid}`;
  mkdirSync(join(making, 'bin'), { recursive: true });
  cpSync(inRoot('packages/cli/dist'), join(making, 'dist'), { recursive: true });
  for (const file of ['package.json', 'bin/ingot.js']) writeFileSync(join(making, file), readFileSync(inRoot('packages/cli', file)));
  symlinkSync(inRoot('node_modules'), join(making, 'node_modules'));
  renameSync(making, home);
  return entry;
}

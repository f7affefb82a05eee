import { relative, resolve } from 'node:path';
import type { InitResult } from '@ingot/core/package/init';
import { initPackage } from '@ingot/core/package/init';
import type { Context, Result } from '../context.ts';
import { installedDistributions } from '../installed-distributions.ts';
import { plain } from '../output/terminal.ts';

/** `ingot init PATH`: writes the missing parts of a package beside an artifact; files that are there stay. */
export async function run(context: Context): Promise<Result> {
  const path = resolve(context.cwd, context.arguments.argument(0));
  const installed = await installedDistributions(context);
  const done = await initPackage(path, {
    createdDate: context.now().toISOString().slice(0, 10),
    signal: context.signal,
    ...(installed !== undefined && { versions: installed.versions }),
  });
  return {
    json: {
      written: done.written,
      kept: done.kept,
      flavor: done.flavor,
      directory: done.directory,
      complete: done.complete,
    },
    quiet: done.written,
    human: () => page(done, context),
    notes: notes(done, installed?.interpreter, context),
  };
}

function page({ flavor, written, kept }: InitResult, context: Context): string {
  const { colors } = context.terminal.out;
  const lines = [
    `found ${plain(flavor)}`,
    ...written.map((name) => `${colors.green('wrote')}  ${name}`),
    ...kept.map((name) => `${colors.dim('kept')}   ${name}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function notes(
  { directory, complete, written, contents }: InitResult,
  interpreter: string | undefined,
  context: Context,
): string[] {
  const place = relative(context.cwd, directory) || '.';
  const next = complete ? [] : [`fill in ${place}/interface.py where it says so`];
  const pins = written.includes('requirements.txt') ? pinsFrom(contents['requirements.txt'] ?? '', interpreter) : [];
  return [...pins, ...next, `next: ingot validate ${place}`];
}

/** Which versions were written, or why there are none: most often the training environment is not the active one. */
function pinsFrom(requirements: string, interpreter: string | undefined): string[] {
  if (interpreter === undefined) return ['no Python was found, so requirements.txt has no versions: pin them'];
  const lines = requirements.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const loose = lines.filter((line) => !line.includes('=='));
  if (loose.length === 0) return [`versions in requirements.txt are those of ${interpreter}`];
  const missing = `${loose.join(', ')} ${loose.length === 1 ? 'is' : 'are'} not installed in ${interpreter}`;
  return [`${missing}: pin ${loose.length === 1 ? 'it' : 'them'}, or activate the training environment and try again`];
}

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
  { directory, complete, written }: InitResult,
  interpreter: string | undefined,
  context: Context,
): string[] {
  const place = relative(context.cwd, directory) || '.';
  const pinned =
    written.includes('requirements.txt') && interpreter !== undefined
      ? [`versions in requirements.txt are those of ${interpreter}`]
      : [];
  const next = complete ? [] : [`fill in ${place}/interface.py where it says so`];
  return [...pinned, ...next, `next: ingot validate ${place}`];
}

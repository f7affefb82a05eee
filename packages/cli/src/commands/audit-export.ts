import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot audit export NAME -o FILE`: writes what can be proved about a model in a period into one signed file. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given, cwd } = context;
  const model = parseModelName(given.argument(0));
  const output = given.text('output');
  if (output === undefined)
    throw new IngotError('usage', 'say where the file goes', { hint: `ingot audit export ${model} -o FILE` });
  const query = new URLSearchParams({ model });
  for (const bound of ['from', 'to'] as const) {
    const text = given.text(bound);
    if (text !== undefined) query.set(bound, momentOf(text, bound));
  }
  const evidence = await serverOfRegistry(context).ask(`/audit/export?${query.toString()}`);
  const path = resolve(cwd, output);
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(evidence, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return {
    json: { model, file: path },
    quiet: [path],
    human: () => `evidence about ${context.terminal.out.colors.bold(model)} in ${path}\n`,
    notes: [`ingot audit verify ${output}`],
  };
}

function momentOf(text: string, flag: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime()))
    throw new IngotError('usage', `--${flag} is a time like 2026-05-01, and is "${text}"`);
  return at.toISOString();
}

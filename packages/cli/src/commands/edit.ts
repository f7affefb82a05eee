import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { parseMetrics, parseTags } from '../verbs/parse.ts';
import { MAX_EDITED_BYTES } from '../version-card.ts';

/** `ingot edit REF`: changes a version's description, model card, tags or metrics. */
export async function run(context: Context): Promise<Result> {
  const text = context.arguments.argument(0);
  const reference = parseReference(text);
  const description = context.arguments.text('description');
  const tags = Object.entries(parseTags(context.arguments.list('tag'))).map(
    ([key, value]) => [key, value === '' ? null : value] as const,
  );
  const metrics = parseMetrics(context.arguments.list('metric'));
  const card = await readCard(context);
  if (description === undefined && card === undefined && tags.length === 0 && Object.keys(metrics).length === 0) {
    throw new IngotError('usage', 'nothing to change: give --description, --card, --tag or --metric', {
      hint: `ingot edit ${text} --tag team=growth`,
    });
  }
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const texts = { ...(description !== undefined && { description }), ...(card !== undefined && { card }) };
  const changes = { ...texts, tags: Object.fromEntries(tags), metrics };
  const version = await registry.update(reference, changes, context);
  const ref = `${version.model}:${version.number}`;
  return { json: { version }, quiet: [ref], human: () => `${context.terminal.out.colors.bold(ref)} changed\n` };
}

async function readCard(context: Context): Promise<string | undefined> {
  const file = context.arguments.text('card');
  if (file === undefined) return undefined;
  const bytes =
    file === '-' ? await context.readStdin() : await readFile(resolve(context.cwd, file)).catch(failed(file));
  if (bytes.length > MAX_EDITED_BYTES) {
    const hint = 'a model card is text: put pictures and data into files of the package';
    throw new IngotError('payload-too-large', `the model card ${file} is larger than 256 KiB`, { hint });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new IngotError('usage', `the model card ${file} is not UTF-8 text`, { operation: 'edit', cause });
  }
}

function failed(file: string): (error: unknown) => never {
  return (cause) => {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause;
    throw new IngotError('path-not-found', `there is no file ${file}`, { operation: 'edit', cause });
  };
}

import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { Reference } from '@ingot/core/ref';
import { parseReference } from '@ingot/core/ref';
import type { ResolvedModel } from '@ingot/core/serving/runtime';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Log } from '@ingot/serve/log';
import type { Question, ServerAnswer } from '../ask-server.ts';
import { askServer } from '../ask-server.ts';
import type { Context, Result } from '../context.ts';
import { meantAsPath } from '../meant-as-path.ts';
import { startServer } from '../model-server.ts';
import { createModelSource } from '../model-source.ts';
import { assembleStore, warningsOf } from '../open.ts';
import { plain } from '../output/terminal.ts';

/** `ingot predict SOURCE -f FILE`: answers one request with a model loaded for it, or asks a running server. */
export async function run(context: Context): Promise<Result> {
  const source = context.arguments.argument(0);
  const reference = referenceIn(source, context);
  const rows = await readRows(context);
  const url = context.arguments.text('url');
  const answer =
    url === undefined ? await askHere(source, rows, context) : await askThere(url, reference, rows, context);
  await writeAnswer(answer, context);
  const { out } = context.terminal;
  const lines = answer.predictions.map((prediction) => plain(JSON.stringify(prediction)));
  const written = context.arguments.text('output');
  return {
    json: answer,
    quiet: lines,
    human: () => (written === undefined ? lines.map((line) => `${line}\n`).join('') : `${out.colors.bold(written)}\n`),
    notes: [`${answer.model}:${answer.version}  ${answer.digest}`],
  };
}

type Rows = Pick<Question, 'body' | 'type' | 'method'>;

async function readRows(context: Context): Promise<Rows> {
  const file = context.arguments.text('file') ?? '-';
  const body = file === '-' ? await context.readStdin() : await readFile(resolve(context.cwd, file));
  const type = isJson(file, body) ? 'application/json' : 'text/csv';
  const method = context.arguments.text('method');
  if (type === 'text/csv' && method !== undefined) {
    throw new IngotError('usage', '--method takes rows as JSON, and these are CSV', {
      hint: 'write the rows as [{"age": 41, …}]',
    });
  }
  return { body, type, method };
}

/** A name says it; else JSON rows begin with a bracket. */
function isJson(file: string, body: Uint8Array): boolean {
  if (/\.json$/i.test(file)) return true;
  if (/\.csv$/i.test(file)) return false;
  return /^\uFEFF?\s*[[{]/.test(new TextDecoder().decode(body.subarray(0, 1024)));
}

async function askHere(source: string, rows: Rows, context: Context): Promise<ServerAnswer> {
  const plan = { sources: [source], host: '127.0.0.1', port: 0, load: 'start' as const, log: complaints(context) };
  await using running = await startServer(plan, context);
  context.progress.clear();
  const [model] = running.server.host.models();
  if (model === undefined) throw new IngotError('model-not-found', `nothing was loaded for "${source}"`);
  return await askServer(running.server.url, { model, ...rows }, context);
}

/** A model for one request says only what went wrong; what kept it from loading is told as the error of the command. */
function complaints(context: Context): Log {
  const { err } = context.terminal;
  return (level, message) => {
    if (level === 'info' || context.format === 'json' || /trying again in/.test(message)) return;
    context.progress.clear();
    err.write(`${err.colors.yellow(level)}: ${message.split('\n').map(plain).join('\n  ')}\n`);
  };
}

/** The reference in a source; undefined for a plain address. */
function referenceIn(source: string, { cwd }: Context): Reference | undefined {
  if (isPlainAddress(source)) return undefined;
  try {
    return parseReference(source);
  } catch (error) {
    throw isIngotError(error) ? meantAsPath(source, cwd, error) : error;
  }
}

async function askThere(
  url: string,
  reference: Reference | undefined,
  rows: Rows,
  context: Context,
): Promise<ServerAnswer> {
  if (reference === undefined) {
    const { model, version } = await resolved(context);
    return await askServer(url, { model, version, ...rows }, context);
  }
  const version = await versionFor(reference, context);
  return await askServer(url, { model: reference.name, version, ...rows }, context);
}

/** A server knows versions by number and label; what an alias or a digest names, the store knows. */
async function versionFor({ selector }: Reference, context: Context): Promise<string | undefined> {
  if (selector.kind === 'latest') return undefined;
  if (selector.kind === 'version') return String(selector.number);
  if (selector.kind === 'label') return selector.label;
  return String((await resolved(context)).number);
}

async function resolved(context: Context): Promise<ResolvedModel> {
  await using store = await assembleStore(context.settings, { now: context.now, onWarning: warningsOf(context) });
  const source = createModelSource(store, context.settings, { now: context.now, cwd: context.cwd });
  return await source.resolve(context.arguments.argument(0), context);
}

async function writeAnswer(answer: ServerAnswer, context: Context): Promise<void> {
  const output = context.arguments.text('output');
  if (output === undefined) return;
  const path = resolve(context.cwd, output);
  const temporary = `${path}.${process.pid}.part`;
  try {
    await writeFile(temporary, `${JSON.stringify(answer)}\n`);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

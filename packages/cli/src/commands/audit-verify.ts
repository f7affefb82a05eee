import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { verifyEvidence, type VerifiedEvidence } from '@ingot/registry/audit/evidence';
import { parseCheckpointFile, verifyStore, type Finding, type Verified } from '@ingot/registry/audit/verify-store';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { historyTable } from '../output/history-table.ts';
import { count } from '../output/units.ts';
import { plain } from '../output/terminal.ts';
import { flaggedMoves } from '../flagged-moves.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot audit verify [FILE]`: checks an evidence file, or the history of the store. */
export async function run(context: Context): Promise<Result> {
  const file = context.arguments.argument(0);
  if (file !== '') return evidence(await textOf(file, context), context);
  const checkpoint = context.arguments.text('checkpoint');
  const isServer = /^https?:\/\//.test(context.settings.text('registry') ?? '');
  if (isServer && checkpoint !== undefined)
    throw new IngotError('usage', '--checkpoint checks a store, and the registry is a server', {
      hint: 'ingot audit verify --registry STORE --checkpoint FILE   (the server checks by its own checkpoints)',
    });
  if (!isServer) return told(await byReading(checkpoint, context), [], context);
  const verified = await byServer(context);
  return told(verified, await flaggedNotes(context), context);
}

async function flaggedNotes(context: Context): Promise<string[]> {
  const { length } = await flaggedMoves(context);
  if (length === 0) return [];
  return [`${count(length, 'move')} of protected aliases made past the server, not followed: ingot audit flagged`];
}

async function byServer(context: Context): Promise<Verified> {
  const { findings, logs, events, checkpoints } = await serverOfRegistry(context).ask('/audit/verify', {
    method: 'POST',
  });
  const listed = Array.isArray(findings) ? findings : [];
  const texts = listed.map((item) => {
    const { where, what } = Object(item);
    return { where: String(where), what: String(what) };
  });
  return { logs: Number(logs), events: Number(events), checkpoints: Number(checkpoints), findings: texts };
}

async function byReading(checkpoint: string | undefined, context: Context): Promise<Verified> {
  const file = checkpoint === undefined ? undefined : parseCheckpointFile(await textOf(checkpoint, context));
  await using store = await openStore(context, { files: true });
  const { id } = await store.format.open(context);
  return verifyStore(store.blobs, { signal: context.signal, store: id, ...(file && { file }) });
}

async function evidence(text: string, context: Context): Promise<Result> {
  const key = context.arguments.text('key');
  const pinned = key === undefined || key.startsWith('ed25519:') ? key : await textOf(key, context);
  const verified: VerifiedEvidence = verifyEvidence(text, pinned === undefined ? {} : { key: pinned });
  const { model, period, claimed } = verified;
  const notes = [
    `${model} from ${period.from} to ${period.to}, made ${verified.madeAt}, signed by ${verified.key}`,
    ...(claimed.length === 0
      ? []
      : [`claimed, proved by nobody: ${count(claimed.length, 'actor')} of events ${claimed.join(', ')}`]),
    ...(pinned === undefined
      ? ['--key FILE compares with the key that the server published; without, the file vouches for itself']
      : []),
  ];
  const result = told(verified, notes, context);
  if (!context.arguments.isOn('events')) return result;
  return { ...result, human: () => `${result.human()}\n${historyTable(verified.told, context.terminal.out)}` };
}

function told(verified: Verified, notes: readonly string[], context: Context): Result {
  const { findings, logs, events, checkpoints } = verified;
  const { colors } = context.terminal.out;
  const line = ({ where, what }: Finding): string => `${colors.red('✗')} ${plain(where)}: ${plain(what)}\n`;
  const summary = `${count(events, 'event')} of ${count(logs, 'log')}, ${count(checkpoints, 'checkpoint')}`;
  const wrong = `the history is not what it was: ${count(findings.length, 'finding')}`;
  return {
    json: verified,
    quiet: findings.map(({ where, what }) => `${plain(where)}: ${plain(what)}`),
    human: () =>
      findings.length === 0 ? `${colors.green('✓')} ${summary}: nothing was changed\n` : findings.map(line).join(''),
    notes: [
      ...notes,
      ...(checkpoints === 0 ? ['without checkpoints a history written anew as a whole is not found'] : []),
    ],
    ...(findings.length > 0 && {
      failure: new IngotError('tampered', wrong, { details: { findings: findings.length } }),
    }),
  };
}

function textOf(path: string, { cwd }: Context): Promise<string> {
  return readFile(resolve(cwd, path), 'utf8').catch((cause: unknown) => {
    throw new IngotError('path-not-found', `${path} cannot be read`, { cause });
  });
}

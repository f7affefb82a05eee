import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Capture } from '@ingot/core/capture';
import { readCapture } from '@ingot/core/package/captured';
import { openForeign } from '@ingot/core/package/foreign/open-foreign';
import { openHashMemory } from '@ingot/core/package/hash-memory';
import { draftPackage } from '@ingot/core/package/read';
import type { PushedFile, PushResult } from '@ingot/core/push';
import { pushDraft } from '@ingot/core/push';
import { parseAlias } from '@ingot/core/ref';
import { cacheRoot } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { captureForPush } from '../capture-for-push.ts';
import { lockForPush } from '../lock-for-push.ts';
import { openStore } from '../open.ts';
import { namedBySource, openPushSource, type PushSource } from '../push-source.ts';
import { keepHeapSmall, keepYoungSmall } from '../small-heap.ts';
import { formatInferred, formatProblems } from '../output/problems.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';
import { parseMetrics, parseTags } from '../verbs/parse.ts';

/** `ingot push PATH`: stores a package as a new version. What is wrong with it is said before the store is asked. */
export async function run(context: Context): Promise<Result> {
  keepYoungSmall();
  await using source = await openPushSource(context.arguments.argument(0), context);
  await using foreign = await openForeign(source.path, { signal: context.signal });
  const { hashes, ...given } = await optionsOf(source, context);
  // Of a copy that is gone afterwards nothing need be remembered.
  const options = { ...given, ...(foreign?.isUnpacked === true ? {} : { hashes }), ...(foreign && { foreign }) };
  const draft = namedBySource(await draftPackage(source.path, options), source, options);
  const captured = await lockForPush(options.captured, draft, context);
  if (draft.sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) >= LARGE_BYTES) keepHeapSmall();
  await using store = await openStore(context, { creates: true });
  const pushed = await pushDraft(draft, { ...options, captured, registry: store.registry, contents: store.contents });
  return {
    json: document(pushed),
    quiet: [pushed.ref],
    human: () => page(pushed, context),
    notes: [...source.notes, ...notes(pushed)],
  };
}

/** Below it, and so for most folders of small files, time counts for more than memory. */
const LARGE_BYTES = 128 * 1024 * 1024;

async function optionsOf({ path, source }: PushSource, context: Context) {
  const { arguments: given } = context;
  const [name, label, message] = [given.text('name'), given.text('label'), given.text('message')];
  const captured = await captureForPush(path, source, await readCaptured(context), context);
  return {
    ...(name !== undefined && { name }),
    ...(label !== undefined && { label }),
    ...(message !== undefined && { message }),
    captured,
    aliases: given.list('alias').map(parseAlias),
    tags: parseTags(given.list('tag')),
    metrics: parseMetrics(given.list('metric')),
    bases: given.list('base'),
    hashes: openHashMemory({ directory: join(cacheRoot(context.settings), 'hashes') }),
    signal: context.signal,
    onProgress: context.progress.onProgress,
  };
}

async function readCaptured(context: Context): Promise<Capture | undefined> {
  const file = context.arguments.text('captured');
  if (file === undefined) return undefined;
  return readCapture(file === '-' ? await context.readStdin() : await readFile(resolve(context.cwd, file)));
}

function document({ ref, version, existed, plan, files, bytes, sealed }: PushResult): unknown {
  return {
    ref,
    model: version.model,
    modelId: version.modelId,
    version: version.number,
    label: version.label ?? null,
    digest: version.manifest,
    flavor: version.flavor,
    existed,
    aliases: version.aliases,
    files,
    bytes: { ...bytes, written: sealed?.writtenBytes ?? 0 },
    chunks: { new: sealed?.newChunks ?? 0, stored: sealed?.storedChunks ?? 0 },
    packs: sealed?.packs ?? 0,
    signature: version.signature ?? null,
    inferred: plan.inferred,
    warnings: plan.problems,
    record: version,
  };
}

function page(pushed: PushResult, context: Context): string {
  const { out } = context.terminal;
  const { version, plan } = pushed;
  const aliases = version.aliases.map((alias) => out.colors.green(`@${alias}`)).join(' ');
  const label = version.label === undefined ? '' : plain(version.label);
  const head = [out.colors.bold(pushed.ref), label, aliases, pushed.existed ? 'was there already' : ''];
  const sections = [
    `${head.filter((part) => part !== '').join('  ')}\n${out.colors.dim(version.manifest)}\n`,
    pushed.existed ? '' : fileTable(pushed, context),
    formatInferred(plan.inferred, out),
    formatProblems(plan.problems, out),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

/** Of more files than these only such are shown that hold something new, so many at most. */
const FILES_SHOWN = 20;

/** What is new, where it helps to see it: `model.safetensors  412 MB  new 61 MB, 351 MB already stored`. */
function fileTable({ files, bytes, sealed }: PushResult, context: Context): string {
  const { out } = context.terminal;
  const shown = files.length > FILES_SHOWN + 1 ? largestNew(files) : files;
  const rows = shown.map((file) => [plain(file.path), formatBytes(file.sizeBytes), newness(file, context)]);
  const others = files.filter((file) => !shown.includes(file));
  if (others.length > 0) {
    const same = others.every((file) => file.newBytes === 0) ? 'already stored' : '';
    const named = shown.length === 0 ? count(others.length, 'file') : `and ${count(others.length, 'other file')}`;
    rows.push([named, '', same].map(out.colors.dim));
  }
  if (files.length > 1)
    rows.push([
      '',
      formatBytes(bytes.total),
      `new ${formatBytes(bytes.new)}, ${formatBytes(bytes.stored)} already stored`,
    ]);
  const columns = [{ title: '' }, { title: '', align: 'right' as const }, { title: '' }];
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  const table = formatTable(columns, rows, { width, colors: out.colors, header: false });
  return sealed === undefined ? table : `${table}${out.colors.dim(writtenLine(sealed))}\n`;
}

function newness({ sizeBytes, newBytes }: PushedFile, context: Context): string {
  if (newBytes === 0) return context.terminal.out.colors.dim('already stored');
  if (newBytes === sizeBytes) return 'new';
  return `new ${formatBytes(newBytes)}, ${formatBytes(sizeBytes - newBytes)} already stored`;
}

/** The files with most new bytes, in the order of their paths. */
function largestNew(files: readonly PushedFile[]): readonly PushedFile[] {
  const changed = files.filter((file) => file.newBytes > 0);
  const chosen = new Set(changed.sort((a, b) => b.newBytes - a.newBytes).slice(0, FILES_SHOWN));
  return files.filter((file) => chosen.has(file));
}

function writtenLine({ newChunks, storedChunks, packs, writtenBytes }: NonNullable<PushResult['sealed']>): string {
  return `${formatBytes(writtenBytes)} written in ${count(packs, 'pack')}: ${count(newChunks, 'new chunk')}, ${storedChunks} already stored`;
}

function notes({ version, plan }: PushResult): string[] {
  const renamed = plan.displayName === undefined ? [] : [`"${plain(plan.displayName)}" is stored as ${version.model}`];
  const next = version.aliases.includes('production')
    ? `ingot serve ${version.model}@production`
    : `ingot promote ${version.model}:${version.number}`;
  return [...renamed, `next: ${next}`];
}

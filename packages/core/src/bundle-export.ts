import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  BUNDLE_NAME,
  BUNDLE_TYPES,
  type BundleContent,
  type BundleDocument,
  type BundleModel,
  type BundleVersion,
  blobPathOf,
  distinct,
  EMPTY,
  encodeBundle,
  encodeContentsList,
  encodeIndex,
  type ListedManifest,
  nameInBundle,
} from './bundle-format.ts';
import { readTold, tellsOf } from './bundle-told.ts';
import type { ContentReader, Recipe } from './content/content-store.ts';
import { createDigester, type Digest, digestOf } from './digest.ts';
import { IngotError, systemErrorCode } from './errors.ts';
import { flush } from './make-durable.ts';
import { MEDIA_TYPES } from './package/manifest.ts';
import { openStoredPackage, type StoredPackage } from './package/stored-package.ts';
import { packTar, TAR_END, tarHeader, tarPadding, tarSize } from './package/tar.ts';
import { diskError } from './package/unpack.ts';
import type { OnProgress } from './progress.ts';
import { type CheckedHistory, originOf, readHistory } from './promote-origin.ts';
import { factsOf } from './promote-version.ts';
import type { ModelName, Reference } from './ref.ts';
import type { Registry, VersionRecord } from './registry/registry.ts';

/** A wheel that goes into a bundle. */
export interface WheelFile {
  /** `numpy-2.4.0-cp311-cp311-manylinux_2_28_x86_64.whl`. */
  readonly name: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
}

/** A version that is about to be put into a bundle, as far as choosing its wheels needs it. */
export interface ExportedVersion {
  readonly record: VersionRecord;
  readonly stored: StoredPackage;
}

/** Options of {@link exportBundle}. */
export interface ExportBundleOptions {
  readonly registry: Registry;
  readonly contents: ContentReader;
  /** Address of the registry as the other side is told it, without secrets. */
  readonly address: string;
  /** Id of its store, where that is known. */
  readonly store?: string;
  /** The file to make. */
  readonly output: string;
  /** Gives the wheels to take along; undefined: those that the version came with itself. Default: these, always. */
  readonly wheels?: (version: ExportedVersion) => Promise<readonly WheelFile[] | undefined>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What an export wrote. */
export interface ExportedBundle {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 of the whole file. */
  readonly digest: Digest;
  readonly models: readonly BundleModel[];
}

/** A blob of the bundle. */
interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
}

/** A version with all that its blobs are read from. */
interface Prepared {
  readonly name: ModelName;
  readonly version: BundleVersion;
  readonly stored: StoredPackage;
  readonly blobs: readonly Blob[];
}

/**
 * Writes versions with their histories into one file, in one pass: documents first, contents behind them, each once. The
 * same versions give the same bytes. The file appears under its name when it is whole, and not before.
 * @throws IngotError `conflict` when there is a file of that name, `disk-full`, `tampered` when a history does not chain,
 *   and as resolving and reading do.
 * @example
 * const { digest } = await exportBundle([parseReference('churn@production')], { registry, contents, address, output });
 */
export async function exportBundle(
  references: readonly Reference[],
  options: ExportBundleOptions,
): Promise<ExportedBundle> {
  await refuseExisting(options.output);
  const { models, prepared, documents } = await prepare(references, options);
  const contents = prepared.flatMap(({ blobs }) => blobs);
  const { files, sizeBytes } = layoutOf({ models }, prepared, [...documents, ...contents]);
  const digest = await writeWhole(options.output, (sink) => writeTar(files, sink, sizeBytes, options));
  return { path: options.output, sizeBytes, digest, models };
}

async function prepare(references: readonly Reference[], options: ExportBundleOptions) {
  const { registry, signal } = options;
  const chosen = new Map<ModelName, Map<number, VersionRecord>>();
  for (const reference of references) {
    const record = await registry.version(reference, { signal });
    const known = chosen.get(record.model) ?? new Map<number, VersionRecord>();
    chosen.set(record.model, known.set(record.number, record));
  }
  const models: BundleModel[] = [];
  const prepared: Prepared[] = [];
  const documents: Blob[] = [];
  for (const name of [...chosen.keys()].sort()) {
    const asked = [...(chosen.get(name)?.values() ?? [])].sort((a, b) => a.number - b.number);
    const { records, history, told } = await readTogether(name, asked, options);
    documents.push(blobOf(history.bytes, history.digest));
    const own = [];
    for (const record of records) own.push(await prepareVersion(name, record, history, options));
    prepared.push(...own);
    const { description, tags } = await registry.model(name, { signal });
    const numbers = new Set(records.map(({ number }) => number));
    models.push({
      name,
      ...(description === undefined ? {} : { description }),
      ...(Object.keys(tags).length === 0 ? {} : { tags }),
      aliases: Object.fromEntries([...told.aliases].filter(([, number]) => numbers.has(number))),
      versions: own.map(({ version }) => version),
    });
  }
  return { models, prepared, documents };
}

const MOST_ROUNDS = 5;

/** Reads versions and the history that tells of them as they are; what is changed in between is read again. */
async function readTogether(name: ModelName, asked: readonly VersionRecord[], options: ExportBundleOptions) {
  const { registry, signal } = options;
  let records = asked;
  for (let round = 1; ; round += 1) {
    const history = await readHistory(options, name, { signal });
    const told = readTold(history.events);
    const isTold = (record: VersionRecord): boolean =>
      tellsOf(told, { origin: originOf(options, record, history), ...saidOf(record), contents: [] });
    if (records.every((record) => record.status === 'deleted' || isTold(record))) return { records, history, told };
    if (round === MOST_ROUNDS)
      throw new IngotError('unavailable', `"${name}" is changed all the time, or not told of as it is`, {
        operation: 'export',
        hint: 'try it again',
      });
    records = await Promise.all(
      records.map(({ number }) => registry.version({ name, selector: { kind: 'version', number } }, { signal })),
    );
  }
}

function saidOf(record: VersionRecord): Pick<BundleVersion, 'facts' | 'card'> {
  return { facts: factsOf(record), ...(record.card === undefined ? {} : { card: record.card }) };
}

async function prepareVersion(
  name: ModelName,
  record: VersionRecord,
  history: CheckedHistory,
  options: ExportBundleOptions,
): Promise<Prepared> {
  const { contents, signal } = options;
  if (record.status === 'deleted')
    throw new IngotError('version-not-found', `version ${record.number} of "${name}" was deleted`, {
      operation: 'export',
    });
  const stored = await openStoredPackage(contents, record, { ...(signal && { signal }) });
  const { recipe, captured } = stored;
  const brought = recipe.contents.filter(({ role }) => role === 'wheel' || role === 'history');
  const wheels = await options.wheels?.({ record, stored });
  const own: BundleContent[] = [
    ...(captured === undefined
      ? []
      : [{ role: 'captured' as const, digest: captured.digest, sizeBytes: captured.bytes.length }]),
    ...brought.flatMap(({ role, path, digest, sizeBytes }) =>
      role === 'history' || (role === 'wheel' && wheels === undefined)
        ? [{ role, digest, sizeBytes, ...(path === undefined ? {} : { path }) }]
        : [],
    ),
    ...(wheels ?? []).map(({ name: path, digest, sizeBytes }) => ({ role: 'wheel' as const, path, digest, sizeBytes })),
    { role: 'history', digest: history.digest, sizeBytes: history.bytes.length },
  ];
  const version: BundleVersion = {
    origin: originOf(options, record, history),
    ...saidOf(record),
    contents: own,
  };
  const given = new Map((wheels ?? []).map((wheel) => [wheel.digest, wheel]));
  const besides = own
    .filter(({ digest }) => digest !== history.digest)
    .map(({ digest, sizeBytes }) => given.get(digest) ?? storedBlob(contents, recipe, { digest, sizeBytes }, signal));
  return { name, version, stored, blobs: [...layersOf(stored, contents, signal), ...besides] };
}

function layersOf(
  { recipe, description, config, manifest }: StoredPackage,
  contents: ContentReader,
  signal: AbortSignal | undefined,
): readonly Blob[] {
  const layers = description.layers.map((layer): Blob => {
    if (layer.kind === 'raw') return storedBlob(contents, recipe, layer, signal);
    const files = layer.files.map((file) => ({ ...file, ...storedBlob(contents, recipe, file, signal) }));
    return { digest: layer.digest, sizeBytes: tarSize(files), open: () => packTar(files) };
  });
  return [blobOf(manifest, description.manifest), blobOf(config, description.config), ...layers];
}

function storedBlob(
  contents: ContentReader,
  recipe: Recipe,
  { digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number },
  signal: AbortSignal | undefined,
): Blob {
  return { digest, sizeBytes, open: () => contents.read(recipe, digest, { ...(signal && { signal }) }) };
}

function blobOf(bytes: Uint8Array, digest = digestOf(bytes)): Blob {
  return {
    digest,
    sizeBytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

/** A file of the tar. */
interface TarFile extends Blob {
  readonly path: string;
}

const DOCUMENT_BYTES = 16 * 1024 * 1024;

function layoutOf(
  document: BundleDocument,
  prepared: readonly Prepared[],
  blobs: readonly Blob[],
): { readonly files: readonly TarFile[]; readonly sizeBytes: number } {
  const encoded = encodeBundle(document);
  const list = encodeContentsList(
    encoded,
    prepared.flatMap(({ version }) => version.contents),
  );
  const listed: ListedManifest[] = [
    { digest: digestOf(list), sizeBytes: list.length, artifactType: BUNDLE_TYPES.artifact, name: BUNDLE_NAME },
    ...prepared.map(({ name, version: { origin, facts }, stored }) => ({
      digest: facts.manifest,
      sizeBytes: stored.manifest.length,
      artifactType: MEDIA_TYPES.artifact,
      name: nameInBundle(name, origin.number),
    })),
  ];
  const own = [encoded, list, EMPTY].map((bytes) => blobOf(bytes));
  // What a reader needs first comes first; of equal contents there is one.
  const all = distinct([...own, ...blobs]);
  const ordered = [
    ...all.filter(({ sizeBytes }) => sizeBytes <= DOCUMENT_BYTES),
    ...all.filter(({ sizeBytes }) => sizeBytes > DOCUMENT_BYTES),
  ];
  const files = [
    { path: 'oci-layout', ...blobOf(Buffer.from('{"imageLayoutVersion":"1.0.0"}')) },
    { path: 'index.json', ...blobOf(encodeIndex(listed)) },
    ...ordered.map((blob) => ({ ...blob, path: blobPathOf(blob.digest), open: () => blob.open() })),
  ];
  return { files, sizeBytes: tarSize(files.map(({ path, sizeBytes }) => ({ path, sizeBytes, mode: 0o644 }))) };
}

/** Takes bytes in order; the memory may be used again afterwards. */
type Sink = (bytes: Uint8Array) => Promise<void>;

async function writeTar(
  files: readonly TarFile[],
  sink: Sink,
  totalBytes: number,
  { output, signal, onProgress }: ExportBundleOptions,
): Promise<Digest> {
  const digester = createDigester();
  let doneBytes = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (signal?.aborted === true)
      throw new IngotError('interrupted', 'export was interrupted', { operation: 'export', cause: signal.reason });
    digester.update(bytes);
    await sink(bytes);
    doneBytes += bytes.length;
    onProgress?.({ phase: 'copy', path: basename(output), doneBytes, totalBytes });
  };
  for (const { path, sizeBytes, open: read } of files) {
    await write(tarHeader({ path, sizeBytes, mode: 0o644 }));
    let bytes = 0;
    for await (const piece of read()) {
      bytes += piece.length;
      if (bytes > sizeBytes) break;
      await write(piece);
    }
    if (bytes !== sizeBytes)
      throw new IngotError('integrity', `${path} gave other bytes than the ${sizeBytes} it has`, {
        operation: 'export',
      });
    await write(tarPadding(sizeBytes));
  }
  await write(TAR_END);
  return digester.finish();
}

const GATHERED_BYTES = 1024 * 1024;

/** Writes a file under another name, makes it durable, and gives it its own; nothing stays behind when that fails. */
async function writeWhole(path: string, work: (sink: Sink) => Promise<Digest>): Promise<Digest> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, 'wx', 0o644);
    const gather = gathered(file);
    const digest = await work(gather.add);
    await gather.finish();
    await file.sync();
    await file.close();
    file = undefined;
    await refuseExisting(path);
    // A stick's file system may have no links, by which alone a name is taken only once.
    await rename(temporary, path);
    await flush(dirname(path));
    return digest;
  } catch (error) {
    throw diskError(error, path, 'export');
  } finally {
    await file?.close();
    await rm(temporary, { force: true });
  }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw diskError(error, path, 'export');
    await requireDirectory(dirname(path));
    return;
  }
  throw new IngotError('conflict', `there is something at ${path} already`, {
    operation: 'export',
    hint: 'choose another name with -o, or remove it first',
  });
}

async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw diskError(error, path, 'export');
  });
  if (found?.isDirectory() === true) return;
  throw new IngotError('path-not-found', `there is no directory ${path}`, { operation: 'export' });
}

/** Gathers small pieces: a bundle of many small files would else be as many system calls. */
function gathered(file: FileHandle): { readonly add: Sink; finish(): Promise<void> } {
  const buffer = Buffer.allocUnsafeSlow(GATHERED_BYTES);
  let used = 0;
  const writeAll = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
  };
  const finish = async (): Promise<void> => {
    await writeAll(buffer.subarray(0, used));
    used = 0;
  };
  return {
    finish,
    async add(bytes) {
      if (used + bytes.length > GATHERED_BYTES) await finish();
      if (bytes.length >= GATHERED_BYTES) return await writeAll(bytes);
      buffer.set(bytes, used);
      used += bytes.length;
    },
  };
}

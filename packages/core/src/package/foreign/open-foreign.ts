import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { SourceFile } from '../source-file.ts';
import { walkDirectory } from '../walk.ts';
import type { ForeignFinding } from './foreign.ts';
import { openForeignFolder } from './foreign-folder.ts';
import { ARCHIVES, MARKERS, READERS } from './readers.ts';
import { unpackArchive } from './unpack-archive.ts';

/** A foreign package, ready to be read: where its files lie now, and the files that were written for it. */
export interface ForeignPackage extends AsyncDisposable {
  /** The folder to read in place of what was named. */
  readonly path: string;
  /** What the model is called by its folder or archive. */
  readonly baseName: string;
  readonly finding: ForeignFinding;
  /** What was written beside its files. */
  readonly added: readonly SourceFile[];
  /** Whether `path` is a copy that goes when this is disposed. */
  readonly isUnpacked: boolean;
}

/** Options of {@link openForeign}. */
export interface ForeignOptions {
  /** Folder for what has to be written. Default: the system's folder for temporary files. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

/**
 * Looks whether a path is a package of another system (MLflow, BentoML, modelstore, Openlayer, Hugging Face, TorchServe,
 * a wheel), as a folder or an archive. Undefined when it is none. Nothing of it is executed; what is written for it lies
 * in a scratch folder until the result is disposed.
 * @throws IngotError `invalid-package` for an archive that is malformed or holds unsafe paths, `disk-full`, `interrupted`.
 */
export async function openForeign(path: string, options: ForeignOptions = {}): Promise<ForeignPackage | undefined> {
  const absolute = resolve(path);
  const stats = await stat(absolute).catch(() => undefined);
  if (stats?.isDirectory() === true) return await openDirectory(absolute, options);
  if (stats?.isFile() !== true || !ARCHIVES.test(absolute)) return undefined;
  return await openArchive(absolute, options);
}

async function openDirectory(directory: string, options: ForeignOptions): Promise<ForeignPackage | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  if (names.includes('artifacts.tar.gz')) return await openArchive(join(directory, 'artifacts.tar.gz'), options);
  const newest = names.includes('latest') ? await newestOf(directory) : undefined;
  if (newest !== undefined) return await openDirectory(newest, options);
  if (!names.some((name) => MARKERS.test(name))) return undefined;
  return await understand(directory, undefined, options);
}

/** A model of a BentoML store holds its versions, and a file `latest` that names one. */
async function newestOf(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'latest'), 'utf8').catch(() => '');
  const version = text.trim();
  if (!/^[\w.-]{1,128}$/.test(version)) return undefined;
  const found = await stat(join(directory, version, 'model.yaml')).catch(() => undefined);
  return found?.isFile() === true ? join(directory, version) : undefined;
}

async function openArchive(archive: string, options: ForeignOptions): Promise<ForeignPackage | undefined> {
  const scratch = await makeScratch(options);
  try {
    const files = join(scratch, 'files');
    await mkdir(files);
    await unpackArchive(archive, files, { what: basename(archive), ...options });
    const found = await understand(await onlyFolder(files), archive, options, scratch);
    if (found === undefined) await rm(scratch, { recursive: true, force: true });
    return found;
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

/** Archives often hold one folder, and that holds the model. */
async function onlyFolder(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  const [only] = entries;
  if (entries.length !== 1 || only?.isDirectory() !== true) return directory;
  return MARKERS.test(only.name) ? directory : join(directory, only.name);
}

async function understand(
  directory: string,
  archive: string | undefined,
  options: ForeignOptions,
  unpacked?: string,
): Promise<ForeignPackage | undefined> {
  const baseName = archive === undefined ? undefined : nameOf(archive);
  const { signal } = options;
  const folder = await openForeignFolder(directory, {
    ...(baseName === undefined ? {} : { baseName, archive }),
    ...(signal && { signal }),
  });
  if (folder === undefined) return undefined;
  for (const read of READERS) {
    const finding = await read(folder);
    if (finding === undefined) continue;
    const scratch = unpacked ?? (await makeScratch(options));
    const added = await writeAdded(join(scratch, 'added'), finding.written, (path) => folder.has(path), signal);
    return {
      path: directory,
      baseName: folder.baseName,
      finding,
      added,
      isUnpacked: unpacked !== undefined,
      [Symbol.asyncDispose]: () => rm(scratch, { recursive: true, force: true }),
    };
  }
  return undefined;
}

/** `churn` of `churn.tar.gz`; what modelstore calls every archive says nothing, but the folder two above is the domain. */
function nameOf(archive: string): string {
  const name = basename(archive).replace(ARCHIVES, '');
  return name === 'artifacts' ? basename(dirname(dirname(dirname(archive)))) || name : name;
}

async function makeScratch({ scratch = tmpdir() }: ForeignOptions): Promise<string> {
  await mkdir(scratch, { recursive: true });
  return await mkdtemp(join(scratch, 'ingot-foreign-'));
}

const METADATA = ['metadata.yaml', 'metadata.yml', 'metadata.json'];

async function writeAdded(
  directory: string,
  written: ForeignFinding['written'],
  has: (path: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<readonly SourceFile[]> {
  await mkdir(directory);
  for (const [path, text] of Object.entries(written)) {
    const isThere = METADATA.includes(path) ? METADATA.some(has) : has(path);
    if (!isThere && text !== '' && text !== '{}\n') await writeFile(join(directory, path), text);
  }
  return (await walkDirectory(directory, { ...(signal && { signal }) })).files;
}

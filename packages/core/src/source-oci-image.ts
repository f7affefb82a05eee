/**
 * The models in an image: what its layers leave below `/models`, one over the other, with what later ones delete. Images
 * that KServe calls modelcars, that Kubernetes mounts as volumes, and that `ingot bake` makes.
 */

import { createWriteStream } from 'node:fs';
import { link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { IngotError, systemErrorCode } from './errors.ts';
import type { LayerPacking } from './oci/media-types.ts';
import type { OciReader } from './oci/oci-place.ts';
import { BAKED_DIRECTORY, isBaked } from './package/baked-package.ts';
import { readTar, type TarItem } from './package/foreign/tar-read.ts';
import { whyUnsafePath } from './package/paths.ts';
import { diskError } from './package/unpack.ts';
import type { TarLayer } from './source-oci-layers.ts';
import { zstd } from './source-oci-unpack.ts';

const ROOT = 'models';
const MAX_FILES = 100_000;
const MAX_DEPTH = 3;

/** What {@link modelsOfImage} needs. */
export interface ImageModelsOptions {
  readonly place: Pick<OciReader, 'blob'>;
  readonly layers: readonly TarLayer[];
  /** An empty directory. */
  readonly directory: string;
  /** For messages. */
  readonly what: string;
  /** How large all of it may become. */
  readonly limitBytes: number;
  readonly signal?: AbortSignal;
}

/**
 * Brings the files that an image has below `/models`; everything else is read past. Nothing is kept of layers.
 * @returns the directory of `/models`.
 * @throws IngotError `invalid-package` for what may not be unpacked and for an image without models, `integrity`,
 * `disk-full`, `interrupted`, `unavailable`.
 */
export async function modelsOfImage(options: ImageModelsOptions): Promise<string> {
  const files = new ImageFiles(options);
  for (const layer of options.layers) await files.apply(layer);
  await files.finish();
  const models = join(options.directory, ROOT);
  if ((await stat(models).catch(() => undefined)) === undefined)
    throw new IngotError('invalid-package', `${options.what} is an image without models: it has nothing in /${ROOT}`, {
      operation: 'source',
    });
  return models;
}

class ImageFiles {
  readonly #options: ImageModelsOptions;
  /** What earlier layers left: paths of files. */
  readonly #files = new Set<string>();
  /** Links, by where they stand, to what they name. */
  readonly #links = new Map<string, string>();
  #sizeBytes = 0;
  #tarBytes = 0;

  constructor(options: ImageModelsOptions) {
    this.#options = options;
  }

  async apply({ descriptor, packing }: TarLayer): Promise<void> {
    const { place, signal, what } = this.#options;
    const bytes = Readable.from(place.blob(descriptor, { ...(signal && { signal }) }));
    const own = new Set<string>();
    try {
      for await (const item of readTar(this.#bounded(unpacked(bytes, packing, what)), what))
        await this.#take(item, own);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code?.startsWith('Z_') === true) throw this.#broken(`a layer is damaged (${code})`);
      throw error;
    } finally {
      bytes.destroy();
    }
  }

  async *#bounded(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of tar) {
      this.#tarBytes += piece.byteLength;
      if (this.#tarBytes > this.#options.limitBytes) throw this.#broken('it grows out of all proportion');
      yield piece;
    }
  }

  /** Links become the files that they lead to; those that lead out of the models are refused. */
  async finish(): Promise<void> {
    for (const [path, target] of this.#links) {
      const found = this.#resolved(target);
      if (found === undefined) throw this.#broken(`/${path} is a link that leads to no file in /${ROOT}: ${target}`);
      await mkdir(dirname(this.#at(path)), { recursive: true });
      await link(this.#at(found), this.#at(path));
    }
  }

  async #take(item: TarItem, own: Set<string>): Promise<void> {
    const path = posix.normalize(item.path.replace(/^(?:\.?\/)+/, '')).replace(/\/+$/, '');
    if (path !== ROOT && !path.startsWith(`${ROOT}/`)) return;
    const name = posix.basename(path);
    if (name === '.wh..wh..opq') return await this.#remove(posix.dirname(path), own);
    if (name.startsWith('.wh.')) return await this.#remove(posix.join(posix.dirname(path), name.slice(4)), own);
    if (item.kind === 'folder') return;
    const unsafe = whyUnsafePath(path);
    if (unsafe !== undefined) throw this.#broken(`the path "${path.slice(0, 80)}" cannot be used: ${unsafe}`);
    if (item.kind === 'other') throw this.#broken(`/${path} is a device`);
    this.#sizeBytes += item.sizeBytes;
    if (this.#files.size + this.#links.size >= MAX_FILES || this.#sizeBytes > this.#options.limitBytes)
      throw this.#broken('what is in it grows out of all proportion');
    await this.#remove(path, new Set());
    own.add(path);
    if (item.kind === 'link') {
      const target = item.target ?? '';
      const isHard = item.linkKind === 'hardlink' || target.startsWith('/');
      this.#links.set(
        path,
        posix.normalize(isHard ? target.replace(/^(?:\.?\/)+/, '') : posix.join(posix.dirname(path), target)),
      );
      return;
    }
    this.#files.add(path);
    await this.#write(path, item);
  }

  async #write(path: string, item: TarItem): Promise<void> {
    const target = this.#at(path);
    try {
      await mkdir(dirname(target), { recursive: true });
      const mode = item.executable ? 0o755 : 0o644;
      await pipeline(Readable.from(item.body), createWriteStream(target, { flags: 'wx', mode }));
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'EEXIST')
        throw this.#broken(`/${path} stands where another file does`);
      throw code?.startsWith('E') === true && !code.startsWith('ERR_') ? diskError(error, target, 'unpack') : error;
    }
  }

  /** Removes what layers below left at a path and under it; `own` came with this layer and stays. */
  async #remove(path: string, own: ReadonlySet<string>): Promise<void> {
    const isBelow = (one: string): boolean => (one === path || one.startsWith(`${path}/`)) && !own.has(one);
    for (const file of [...this.#files].filter(isBelow)) {
      this.#files.delete(file);
      await rm(this.#at(file), { force: true });
    }
    for (const linked of [...this.#links.keys()].filter(isBelow)) this.#links.delete(linked);
  }

  #resolved(path: string): string | undefined {
    const seen = new Set<string>();
    for (let at: string | undefined = path; at !== undefined && !seen.has(at); at = this.#links.get(at)) {
      if (this.#files.has(at)) return at;
      seen.add(at);
    }
    return undefined;
  }

  #at(path: string): string {
    return join(this.#options.directory, path);
  }

  #broken(why: string): IngotError {
    return new IngotError('invalid-package', `${this.#options.what} cannot be unpacked: ${why}`, {
      operation: 'source',
    });
  }
}

function unpacked(bytes: Readable, packing: LayerPacking, what: string): AsyncIterable<Uint8Array> {
  if (packing === 'none') return bytes;
  const unpacker = packing === 'gzip' ? createGunzip() : zstd(what);
  bytes.on('error', (error) => unpacker.destroy(error));
  return bytes.pipe(unpacker);
}

/**
 * Chooses the model that is meant: the one that is named, else the only one there is. What `ingot bake` put beside a
 * model's files goes.
 * @throws IngotError `conflict` naming the models there are, `not-found`.
 */
export async function chooseModel(models: string, wanted: string | undefined, what: string): Promise<string> {
  const found = await modelsIn(models, '', MAX_DEPTH);
  const names = found.map((path) => path || '.');
  const chosen =
    wanted === undefined ? (found.length === 1 ? found[0] : undefined) : found.find((path) => path === wanted);
  if (chosen !== undefined) {
    const directory = join(models, chosen);
    await rm(join(directory, BAKED_DIRECTORY), { recursive: true, force: true });
    return directory;
  }
  if (wanted !== undefined)
    throw new IngotError('not-found', `${what} has no model "${wanted}"; it has ${names.join(', ')}`, {
      operation: 'source',
      details: { models: names },
    });
  throw new IngotError('conflict', `${what} holds ${found.length} models: ${names.join(', ')}`, {
    operation: 'source',
    hint: `${what}#${names[0] ?? 'NAME'}`,
    details: { models: names },
  });
}

/** Directories that are models: baked ones wherever they are, else those that hold files themselves. */
async function modelsIn(root: string, path: string, depth: number): Promise<string[]> {
  const directory = join(root, path);
  if (await isBaked(directory)) return [path];
  const entries = await readdir(directory, { withFileTypes: true });
  if (entries.some((entry) => entry.isFile())) return [path];
  if (depth === 0) return [];
  const inner = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => modelsIn(root, posix.join(path, name), depth - 1)),
  );
  return inner.flat().sort();
}

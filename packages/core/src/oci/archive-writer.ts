import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bodyOf } from '../blob/bytes.ts';
import { syncDirectory } from '../blob/local/directories.ts';
import { translated } from '../blob/local/failures.ts';
import { nodeFileSystem } from '../blob/local/file-system.ts';
import { BodyFailure, type Fillable, fill } from '../blob/local/fill.ts';
import { canonicalJson } from '../json.ts';
import { TAR_END, tarHeader, tarPadding } from '../package/tar.ts';
import { type BlobName, checkedBlob, hashed } from './checked-blob.ts';
import { createOciDigester } from './digest.ts';
import { addToIndex, EMPTY_LAYOUT_INDEX, formatLayoutIndex, imageNameOf, type LayoutIndex } from './layout-index.ts';
import { blobPath, type LayoutFile, LayoutReader } from './layout-reader.ts';
import { checkManifest, parseOciManifest } from './manifest.ts';
import { OCI_ANNOTATIONS } from './media-types.ts';
import type { BlobPut, Descriptor, OciDigest, OciOptions, OciPlace, StoredManifest } from './oci-place.ts';
import { memberFile } from './tar-files.ts';

const FILES = nodeFileSystem({ directory: 0o755, file: 0o644, force: false });

/** How an archive is written. */
export interface ArchiveOptions {
  /** Whether `docker load` can read it too: `manifest.json` is added. Default: false. */
  readonly docker?: boolean;
}

/**
 * Writes an archive: a layout in one tar file, in the order in which things are put. It has its name only when it is
 * finished, so nobody sees half of one; what is disposed unfinished is gone. What was put can be read.
 *
 * With `docker` it is what `docker save` writes since version 25: both a layout and Docker's own `manifest.json`, where a
 * tag that is no `NAME:TAG` stands as it is.
 *
 * @example
 * await using archive = await OciArchiveWriter.begin('churn.tar', { docker: true });
 * await archive.putBlob(layer, () => createReadStream('layer.tar'));
 * await archive.putManifest(manifest, { tag: 'churn:7' });
 * await archive.finish();
 */
export class OciArchiveWriter implements OciPlace, AsyncDisposable {
  readonly address: string;
  readonly #file: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #docker: boolean;
  readonly #members = new Map<string, { readonly start: number; readonly sizeBytes: number }>();
  readonly #manifests = new Map<OciDigest, StoredManifest>();
  readonly #reader: LayoutReader;
  #index: LayoutIndex = EMPTY_LAYOUT_INDEX;
  #end = 0;
  #last: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  private constructor(file: string, temporary: string, handle: FileHandle, { docker = false }: ArchiveOptions) {
    this.#file = file;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#docker = docker;
    this.address = `${docker ? 'docker' : 'oci'}-archive:${file}`;
    this.#reader = new LayoutReader({ address: this.address, file: async (path) => this.#written(path) });
  }

  /**
   * Begins an archive beside the place where it will be.
   * @throws IngotError `forbidden`, `disk-full`, `unavailable`.
   */
  static async begin(file: string, options: ArchiveOptions = {}): Promise<OciArchiveWriter> {
    const temporary = `${file}.${randomBytes(6).toString('hex')}.part`;
    try {
      await FILES.makeDirectory(dirname(file));
      const writer = new OciArchiveWriter(file, temporary, await open(temporary, 'wx+', 0o644), options);
      await writer.#add('oci-layout', bodyOf('{"imageLayoutVersion":"1.0.0"}'));
      return writer;
    } catch (error) {
      throw await translated(error, 'oci.write', file);
    }
  }

  /**
   * Writes the index and gives the archive its name, in place of what was there.
   * @throws IngotError `disk-full`, `forbidden`, `unavailable`.
   */
  async finish(): Promise<void> {
    await this.#add('index.json', bodyOf(formatLayoutIndex(this.#index)));
    if (this.#docker) await this.#add('manifest.json', bodyOf(canonicalJson(this.#dockerImages())));
    try {
      await this.#handle.write(TAR_END, 0, TAR_END.length, this.#end);
      await this.#handle.sync();
      await this.#close();
      await rename(this.#temporary, this.#file);
      await syncDirectory(FILES, dirname(this.#file));
    } catch (error) {
      throw await translated(error, 'oci.write', this.#file);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#close();
    await rm(this.#temporary, { force: true });
  }

  manifest(reference: string): Promise<StoredManifest> {
    return this.#reader.manifest(reference);
  }

  blob(...args: Parameters<OciPlace['blob']>): AsyncIterable<Uint8Array> {
    return this.#reader.blob(...args);
  }

  tags(): AsyncIterable<string> {
    return this.#reader.tags();
  }

  referrers(...args: Parameters<OciPlace['referrers']>): Promise<readonly Descriptor[]> {
    return this.#reader.referrers(...args);
  }

  async hasBlob(digest: OciDigest): Promise<boolean> {
    await this.#last.catch(() => undefined);
    return this.#members.has(blobPath(digest));
  }

  async putBlob(
    descriptor: BlobName,
    openBody: () => AsyncIterable<Uint8Array>,
    { signal }: OciOptions = {},
  ): Promise<BlobPut> {
    const path = blobPath(descriptor.digest);
    if (this.#members.has(path)) return 'exists';
    const open = () => checkedBlob(descriptor, openBody(), 'oci.write');
    return this.#add(path, { sizeBytes: descriptor.size, open }, signal);
  }

  async newBlob(
    size: number,
    openBody: () => AsyncIterable<Uint8Array>,
    { signal }: OciOptions = {},
  ): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
    const digester = createOciDigester();
    let digest: OciDigest | undefined;
    const nameOf = () => {
      digest = digester.finish();
      return blobPath(digest);
    };
    const put = await this.#add(nameOf, { sizeBytes: size, open: () => hashed(openBody(), digester) }, signal);
    return { digest: digest ?? digester.finish(), put };
  }

  async putManifest(manifest: StoredManifest, options: OciOptions & { readonly tag?: string } = {}): Promise<void> {
    const checked = checkManifest(manifest.bytes, manifest.mediaType, manifest.digest);
    const { digest, bytes } = checked;
    await this.putBlob({ digest, size: bytes.byteLength }, bodyOf(bytes).open, options);
    this.#manifests.set(digest, checked);
    const image = this.#docker && options.tag !== undefined ? imageNameOf(options.tag) : undefined;
    // Docker over containerd reads the layout, and names an image by this alone.
    const named = image === undefined ? {} : { annotations: { [OCI_ANNOTATIONS.imageName]: image } };
    this.#index = addToIndex(this.#index, { manifest: checked, tag: options.tag, ...named });
  }

  /** Appends a member; where it fails, the next one takes its place. Its name may be known only after its bytes. */
  #add(
    path: string | (() => string),
    body: { readonly sizeBytes: number; open(): AsyncIterable<Uint8Array> },
    signal?: AbortSignal,
  ): Promise<BlobPut> {
    const turn = this.#last.catch(() => undefined).then(() => this.#append(path, body, signal));
    this.#last = turn;
    return turn;
  }

  async #append(
    path: string | (() => string),
    { sizeBytes, open: openBody }: { readonly sizeBytes: number; open(): AsyncIterable<Uint8Array> },
    signal: AbortSignal | undefined,
  ): Promise<BlobPut> {
    if (typeof path === 'string' && this.#members.has(path)) return 'exists';
    const headerOf = (name: string) => tarHeader({ path: name, sizeBytes, mode: 0o644 });
    // Digests are of one length, so that a header can come after what it stands before.
    const length = headerOf(typeof path === 'string' ? path : blobPath(UNKNOWN)).byteLength;
    const start = this.#end + length;
    try {
      await fill(
        writesFrom(this.#handle, start),
        this.#file,
        { sizeBytes, open: openBody },
        { signal, expendable: true },
      );
      const name = typeof path === 'string' ? path : path();
      if (this.#members.has(name)) return 'exists';
      await this.#handle.write(headerOf(name), 0, length, this.#end);
      const padding = tarPadding(sizeBytes);
      await this.#handle.write(padding, 0, padding.byteLength, start + sizeBytes);
      this.#members.set(name, { start, sizeBytes });
      this.#end = start + sizeBytes + padding.byteLength;
      return 'created';
    } catch (error) {
      if (error instanceof BodyFailure) throw error.cause;
      throw await translated(error, 'oci.write', this.#file);
    } finally {
      await this.#handle.truncate(this.#end).catch(() => undefined);
    }
  }

  #written(path: string): LayoutFile | undefined {
    if (path === 'index.json') {
      const bytes = formatLayoutIndex(this.#index);
      return { sizeBytes: bytes.byteLength, read: () => bodyOf(bytes).open() };
    }
    const member = this.#members.get(path);
    return member && memberFile(this.#handle, { kind: 'file', ...member }, this.address);
  }

  #dockerImages(): unknown[] {
    return this.#index.entries.flatMap(({ descriptor, name }) =>
      this.#imagesOf(descriptor.digest).map((image, at) => ({
        Config: blobPath(image.config.digest),
        // Of several platforms only the first can have the name.
        RepoTags: name === undefined || at > 0 ? [] : [name],
        Layers: image.layers.map(({ digest }) => blobPath(digest)),
      })),
    );
  }

  #imagesOf(digest: OciDigest): { readonly config: Descriptor; readonly layers: readonly Descriptor[] }[] {
    const stored = this.#manifests.get(digest);
    const manifest = stored && parseOciManifest(stored);
    if (manifest === undefined) return [];
    return manifest.kind === 'manifest' ? [manifest] : manifest.manifests.flatMap((one) => this.#imagesOf(one.digest));
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }
}

const UNKNOWN: OciDigest = `sha256:${'0'.repeat(64)}`;

/** Writes to a file one after another from a place on. */
function writesFrom(handle: FileHandle, start: number): Fillable {
  let at = start;
  return {
    write: async (bytes: Uint8Array, offset = 0, length = bytes.byteLength - offset) => {
      const written = await handle.write(bytes, offset, length, at);
      at += written.bytesWritten;
      return written;
    },
    sync: () => handle.sync(),
  };
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Digest, digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { OnProgress } from '../progress.ts';
import type { RememberedHashes } from './hash-memory.ts';
import { type LayerPlan, planLayers } from './layers.ts';
import type { HashedFile, HashedLayer } from './manifest.ts';
import { hashSource, readSourceNow, type SourceFile } from './source-file.ts';
import { tarSize } from './tar.ts';
import { createTarDigester } from './tar-digester.ts';

/** A file that is to be read. */
export interface FileToRead {
  readonly file: SourceFile;
  /** What it had when it was read last: then it need not be read again. */
  readonly remembered?: Digest;
  /** Sees all its bytes in order; no file is read before those that come earlier. Then it must be read. */
  onBytes?(bytes: Uint8Array): void;
}

/** Reads files in order and gives the digest of each. */
export type ReadFiles = (files: readonly FileToRead[]) => Promise<readonly Digest[]>;

/** How a package is hashed. */
export interface HashOptions {
  /** Which files share a layer. Default: {@link planLayers}. */
  readonly layers?: readonly LayerPlan<SourceFile>[];
  /** Reads the files. Default: only hashes them. */
  readonly read?: ReadFiles;
  /** What is remembered of the files. Default: nothing. */
  readonly hashes?: RememberedHashes;
  /** Default: the system clock. */
  readonly now?: () => Date;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Finds the digests of all files, each read once at most, and of the tars that stand for whole directories of large
 * packages.
 */
export async function hashPackage(files: readonly SourceFile[], options: HashOptions = {}): Promise<HashedLayer[]> {
  const { hashes } = options;
  const plans = (options.layers ?? planLayers(files)).map((layer) => planOf(layer, hashes));
  const readAt = (options.now ?? (() => new Date()))();
  const read = options.read ?? readerOf(options);
  const wanted = plans.flatMap(({ reads }) => reads);
  const digests = await read(wanted);
  for (const [n, { file, remembered }] of wanted.entries()) {
    const digest = digests[n];
    if (digest !== undefined && digest !== remembered) hashes?.note(file, digest, readAt);
  }
  let next = 0;
  return plans.map((plan) => {
    const own = digests.slice(next, next + plan.reads.length);
    next += plan.reads.length;
    return plan.finish(own);
  });
}

/** Says what the layers are when every file is remembered; undefined when one has to be read. */
export function rememberedLayers(files: readonly SourceFile[], hashes: RememberedHashes): HashedLayer[] | undefined {
  const plans = planLayers(files).map((layer) => planOf(layer, hashes));
  if (
    plans.some(({ reads }) =>
      reads.some(({ remembered, onBytes }) => remembered === undefined || onBytes !== undefined),
    )
  )
    return undefined;
  return plans.map(({ reads, finish }) => finish(reads.flatMap(({ remembered }) => remembered ?? [])));
}

interface LayerReading {
  readonly reads: readonly FileToRead[];
  finish(digests: readonly Digest[]): HashedLayer;
}

function planOf(layer: LayerPlan<SourceFile>, hashes: RememberedHashes | undefined): LayerReading {
  if (layer.kind === 'tar') return tarReading(layer.directory, layer.files, hashes);
  const { file } = layer;
  return {
    reads: [toRead(file, hashes)],
    finish: ([digest = EMPTY]) => ({ kind: 'raw', file: hashed(file, digest), digest, sizeBytes: file.sizeBytes }),
  };
}

function tarReading(
  directory: string,
  sources: readonly SourceFile[],
  hashes: RememberedHashes | undefined,
): LayerReading {
  const reads = sources.map((file) => toRead(file, hashes));
  const layerOf = (digests: readonly Digest[], digest: Digest): HashedLayer => {
    const files = sources.map((file, n) => hashed(file, digests[n] ?? EMPTY));
    return { kind: 'tar', directory, files, digest, sizeBytes: tarSize(sources) };
  };
  const known = reads.every(({ remembered }) => remembered !== undefined)
    ? hashes?.computed(
        tarKey(
          sources,
          reads.flatMap(({ remembered }) => remembered ?? []),
        ),
      )
    : undefined;
  if (known !== undefined) return { reads, finish: (digests) => layerOf(digests, known) };
  const tar = new TarDigest(sources);
  return {
    reads: sources.map((file, n) => ({ file, onBytes: (bytes) => tar.update(n, bytes) })),
    finish: (digests) => {
      const digest = tar.finish();
      hashes?.noteComputed(tarKey(sources, digests), digest);
      return layerOf(digests, digest);
    },
  };
}

/** A tar follows from the paths, modes and contents of its files. */
function tarKey(files: readonly SourceFile[], digests: readonly Digest[]): Digest {
  return digestOf(
    JSON.stringify(['tar', files.map(({ path, mode, sizeBytes }, n) => [path, mode, sizeBytes, digests[n]])]),
  );
}

/** The digest of a tar whose files come one after another. */
class TarDigest {
  readonly #sources: readonly SourceFile[];
  readonly #digester = createTarDigester();
  /** How many files were begun. */
  #begun = 0;

  constructor(sources: readonly SourceFile[]) {
    this.#sources = sources;
  }

  update(n: number, bytes: Uint8Array): void {
    this.#beginUpTo(n + 1);
    this.#digester.update(bytes);
  }

  finish(): Digest {
    this.#beginUpTo(this.#sources.length);
    return this.#digester.finish();
  }

  // Empty files have no bytes that would announce them.
  #beginUpTo(count: number): void {
    for (; this.#begun < count; this.#begun += 1) {
      const source = this.#sources[this.#begun];
      if (source !== undefined) this.#digester.begin(source);
    }
  }
}

const EMPTY = digestOf('');
const SMALL_BYTES = 256 * 1024;
const TURN_BYTES = 8 * 1024 * 1024;

/** Only hashes, for who stores nothing. */
function readerOf({ signal, onProgress }: HashOptions): ReadFiles {
  const buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  let sinceTurn = 0;
  const readSmall = async ({ file, onBytes }: FileToRead): Promise<Digest> => {
    sinceTurn += file.sizeBytes + 4096;
    if (sinceTurn > TURN_BYTES) {
      sinceTurn = 0;
      await nextTurn();
    }
    const bytes = buffer.subarray(0, file.sizeBytes);
    readSourceNow(file, bytes);
    if (bytes.byteLength > 0) onBytes?.(bytes);
    onProgress?.({ phase: 'hash', path: file.path, doneBytes: file.sizeBytes, totalBytes: file.sizeBytes });
    return digestOf(bytes);
  };
  const readLarge = async ({ file, onBytes }: FileToRead): Promise<Digest> => {
    let doneBytes = 0;
    return await hashSource(file, {
      ...(signal && { signal }),
      onBytes: (bytes) => {
        onBytes?.(bytes);
        doneBytes += bytes.byteLength;
        onProgress?.({ phase: 'hash', path: file.path, doneBytes, totalBytes: file.sizeBytes });
      },
    });
  };
  return async (files) => {
    const digests: Digest[] = [];
    for (const wanted of files) {
      if (signal?.aborted === true) throw new IngotError('interrupted', 'reading the package was interrupted');
      const known = wanted.onBytes === undefined ? wanted.remembered : undefined;
      digests.push(known ?? (await (wanted.file.sizeBytes <= SMALL_BYTES ? readSmall(wanted) : readLarge(wanted))));
    }
    return digests;
  };
}

function toRead(file: SourceFile, hashes: RememberedHashes | undefined): FileToRead {
  const remembered = hashes?.digest(file);
  return remembered === undefined ? { file } : { file, remembered };
}

function hashed(file: SourceFile, digest: Digest): HashedFile {
  return { path: file.path, sizeBytes: file.sizeBytes, mode: file.mode, digest };
}

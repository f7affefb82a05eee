/**
 * How the bytes of a job get into their files: a range of a pack as it comes over the wire, or straight from the file
 * of a pack on this machine; a run of a local file; small files by the hundred.
 */

import { type FileHandle, open } from 'node:fs/promises';
import type { BlobStore } from '../blob/blob-store.ts';
import { stopIfInterrupted } from '../blob/interrupt.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import { WireMemory } from '../wire-memory.ts';
import { decodePiece } from './coding.ts';
import { Gate } from './gate.ts';
import { packKey } from './locator.ts';
import type { HandResult } from './restore-hands-program.ts';
import type { Hands } from './restore-hands.ts';
import { isPlaced, type LocalRun, type PlacedFile, type RestoreFile, type SmallFile } from './restore-job.ts';
import { HELD_BYTES, type PackRange, type PlacedPiece, RangePlanner, type RangePart } from './restore-ranges.ts';
import { PartWriter } from './restore-part-writer.ts';
import { type MovedPack, readMoved } from './sweep/moved.ts';

/** What comes over the wire is written in blocks of this length at least. */
const BLOCK_BYTES = 512 * 1024;
/** Shorter ranges cost a round trip and little else, so any number of them may be under way. */
const SHORT_BYTES = 256 * 1024;
/** Longer ones at a time: that are written as they come, and that are held in memory. */
const STREAMS = 12;
const HELD = 6;
/** What lies on this machine is copied in steps of this length. */
const STEP_BYTES = 4 * 1024 * 1024;

/** What a transfer tells of. */
export interface TransferEvents {
  /** Bytes came from the store. */
  onFetched(bytes: number): void;
  /** Bytes of a large file are in their place: these, or none that are right. */
  onLanded(file: PlacedFile, at: number, bytes: number, from: 'store' | 'local'): void;
  /** What became of small files. */
  onSmall(files: readonly SmallFile[], results: readonly HandResult[], from: 'store' | 'local'): void;
}

/** What a transfer needs to know. */
export interface TransferContext {
  readonly blobs: BlobStore;
  readonly hands: Hands;
  readonly signal: AbortSignal;
  readonly events: TransferEvents;
}

/** Moves bytes; one object serves all lanes of a restore. */
export class Transfer {
  readonly #context: TransferContext;
  /** Memory for gathering what comes that is free again. */
  readonly #blocks: Buffer[] = [];
  /** Memory for ranges that is free again. */
  readonly #slabs: Buffer[] = [];
  readonly #wire = new WireMemory();
  readonly #streams = new Gate(STREAMS);
  readonly #holds = new Gate(HELD);
  readonly #moved = new Map<string, Promise<MovedPack | undefined>>();

  constructor(context: TransferContext) {
    this.#context = context;
  }

  /**
   * Brings a range of a pack. Bytes that cannot be had right are left to the check of the file they belong to.
   * @throws IngotError as reading a blob does, but not `integrity`.
   */
  async range(range: PackRange<RestoreFile>): Promise<void> {
    try {
      const path = await this.#localPath(range.pack);
      if (path !== undefined && !range.held) await this.#fromPack(range, path);
      else if (range.end - range.start <= SHORT_BYTES) await this.#bring(range, path);
      else await (range.held ? this.#holds : this.#streams).through(() => this.#bring(range, path));
    } catch (error) {
      if (isIngotError(error, 'content-not-found')) return await this.#follow(range, error);
      if (!isIngotError(error, 'integrity')) throw error;
      this.#spoilt(range);
    }
  }

  /** Copies a run of a local file; where that is not as it was, the check of the file finds it. */
  async local({ file, at, from, start, length }: LocalRun): Promise<void> {
    const source = await open(from, 'r').catch(() => undefined);
    if (source === undefined) return this.#context.events.onLanded(file, at, length, 'local');
    try {
      await this.#copy(source, start, { file, at, length }, 'local');
    } finally {
      await source.close();
    }
  }

  /** Makes small files from local ones. */
  async copies(files: readonly (SmallFile & { readonly from: string; readonly start: number })[]): Promise<void> {
    const results = await this.#context.hands.copy(
      files.map((file) => ({ ...handFile(file), from: file.from, start: file.start })),
    );
    this.#context.events.onSmall(files, results, 'local');
  }

  /** Makes small files from bytes that are right already, one after another in a buffer. */
  async small(bytes: Uint8Array, files: readonly (SmallFile & { readonly at: number })[]): Promise<void> {
    const results = await this.#context.hands.write(
      bytes,
      files.map((file) => ({ ...handFile(file), at: file.at })),
    );
    this.#context.events.onSmall(files, results, 'store');
  }

  async #bring(range: PackRange<RestoreFile>, path: string | undefined): Promise<void> {
    stopIfInterrupted(this.#context.signal, 'pull');
    await (range.held ? this.#held(range, path) : this.#stream(range));
  }

  async #localPath(pack: string): Promise<string | undefined> {
    const { blobs } = this.#context;
    return blobs.capabilities.localFiles ? await blobs.localPath?.(packKey(pack)) : undefined;
  }

  async #stream({ pack, start, end, parts }: PackRange<RestoreFile>): Promise<void> {
    const { blobs, signal, events } = this.#context;
    const block = this.#blocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const writer = new PartWriter(parts, start, block, events);
    try {
      for await (const bytes of blobs.read(packKey(pack), { range: { start, end }, signal, into: block })) {
        events.onFetched(bytes.byteLength);
        this.#wire.came(bytes.byteLength);
        await writer.take(bytes);
      }
      await writer.finish();
    } finally {
      this.#blocks.push(block);
    }
  }

  async #fromPack({ parts }: PackRange<RestoreFile>, path: string): Promise<void> {
    const pack = await open(path, 'r');
    try {
      for (const { file, at, offset, length } of parts) {
        if (isPlaced(file)) await this.#copy(pack, offset, { file, at, length }, 'store');
      }
    } finally {
      await pack.close();
    }
  }

  /** Copies bytes of an open file to their place, step by step, so that an end on the way loses little. */
  async #copy(source: FileHandle, start: number, run: Omit<LocalRun, 'from' | 'start'>, from: 'store' | 'local') {
    const { file, at, length } = run;
    const { signal, events } = this.#context;
    for (let done = 0; done < length; done += STEP_BYTES) {
      stopIfInterrupted(signal, 'pull');
      const step = Math.min(STEP_BYTES, length - done);
      const copying = file.large.carry(source.fd, start + done, at + done, step);
      await (from === 'local' ? copying.catch(tolerateLostSource) : copying);
      if (from === 'store') events.onFetched(step);
      events.onLanded(file, at + done, step, from);
    }
  }

  /** Reads a whole range into memory, and makes of it what it is for. */
  async #held(range: PackRange<RestoreFile>, path: string | undefined): Promise<void> {
    const slab = this.#slab(range.end - range.start);
    try {
      if (path === undefined) await this.#fetch(range, slab);
      else await this.#load(range, path, slab);
      await this.#unpack(range, slab);
    } finally {
      if (slab.byteLength === HELD_BYTES) this.#slabs.push(slab);
    }
  }

  /** Memory for a range, which threads can read too, so that nothing is copied and nothing is left to the collector. */
  #slab(sizeBytes: number): Buffer {
    if (sizeBytes <= SHORT_BYTES || sizeBytes > HELD_BYTES) return Buffer.from(new SharedArrayBuffer(sizeBytes));
    return this.#slabs.pop() ?? Buffer.from(new SharedArrayBuffer(HELD_BYTES));
  }

  async #unpack(range: PackRange<RestoreFile>, bytes: Uint8Array): Promise<void> {
    const small: (SmallFile & { readonly at: number })[] = [];
    for (const part of range.parts) {
      const { file } = part;
      const from = part.offset - range.start;
      if (part.coding === undefined && !isPlaced(file)) small.push({ ...file, at: from });
      else await this.#decoded(part, bytes.subarray(from, from + part.length));
    }
    if (small.length > 0) await this.small(bytes, small);
  }

  async #decoded({ file, at, coding, sizeBytes }: RangePart<RestoreFile>, stored: Uint8Array): Promise<void> {
    const bytes = decoded(coding, stored, sizeBytes ?? stored.byteLength);
    if (!isPlaced(file)) return await this.small(bytes ?? new Uint8Array(file.sizeBytes), [{ ...file, at: 0 }]);
    if (bytes !== undefined) await file.large.put(bytes, at);
    this.#context.events.onLanded(file, at, sizeBytes ?? stored.byteLength, 'store');
  }

  async #fetch({ pack, start, end }: PackRange<RestoreFile>, slab: Uint8Array): Promise<void> {
    const { blobs, signal, events } = this.#context;
    const block = this.#blocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    let at = 0;
    try {
      for await (const bytes of blobs.read(packKey(pack), { range: { start, end }, signal, into: block })) {
        slab.set(bytes.subarray(0, slab.byteLength - at), at);
        this.#wire.came(bytes.byteLength);
        at += bytes.byteLength;
        events.onFetched(bytes.byteLength);
      }
    } finally {
      this.#blocks.push(block);
    }
    // A slab has bytes of what it was used for before.
    if (at < end - start) slab.fill(0, at, end - start);
  }

  async #load({ start, end }: PackRange<RestoreFile>, path: string, slab: Uint8Array): Promise<void> {
    stopIfInterrupted(this.#context.signal, 'pull');
    const length = end - start;
    const pack = await open(path, 'r');
    try {
      for (let at = 0; at < length; ) {
        const { bytesRead } = await pack.read(slab, at, length - at, start + at);
        if (bytesRead === 0) {
          slab.fill(0, at, length);
          break;
        }
        at += bytesRead;
      }
    } finally {
      await pack.close();
    }
    this.#context.events.onFetched(length);
  }

  /** A range of a pack that is gone: its parts are brought from where the pack was moved to. */
  async #follow(range: PackRange<RestoreFile>, lost: unknown): Promise<void> {
    const { blobs, signal } = this.#context;
    const reading = this.#moved.get(range.pack) ?? readMoved(blobs, range.pack, { signal });
    this.#moved.set(range.pack, reading);
    const moved = await reading;
    if (moved === undefined) throw lost;
    const planner = new RangePlanner<RestoreFile>();
    const ranges: PackRange<RestoreFile>[] = [];
    for (const part of range.parts) {
      for (const [at, piece] of movedParts(part, moved, lost))
        ranges.push(...planner.add(part.file, at, piece, range.held));
    }
    for (const each of [...ranges, ...planner.finish()]) await this.range(each);
  }

  /** Leaves the parts of a range as they are: wrong, so that each file's check finds them. */
  #spoilt({ parts }: PackRange<RestoreFile>): void {
    const small: SmallFile[] = [];
    for (const { file, at, length, sizeBytes } of parts) {
      if (isPlaced(file)) this.#context.events.onLanded(file, at, sizeBytes ?? length, 'store');
      else small.push(file);
    }
    const wrong = { good: false, mtimeMs: 0, ctimeMs: 0, ino: 0 };
    this.#context.events.onSmall(
      small,
      small.map(() => wrong),
      'store',
    );
  }
}

function handFile({ path, mode, digest, sizeBytes }: SmallFile) {
  return { path, mode, sizeBytes, sha256: digest.slice('sha256:'.length) };
}

/** The decoded bytes; undefined when they are damaged. Throws `refused` for an unknown coding. */
function decoded(coding: string | undefined, stored: Uint8Array, sizeBytes: number): Uint8Array | undefined {
  if (coding === undefined) return stored;
  try {
    return decodePiece(coding, stored, sizeBytes);
  } catch (error) {
    if (isIngotError(error, 'integrity')) return undefined;
    throw error;
  }
}

/** What cannot be read here is fetched; what cannot be written is told. */
function tolerateLostSource(error: unknown): void {
  const isRead = error instanceof Error && 'syscall' in error && error.syscall === 'read';
  if (isRead && ['EIO', 'ESTALE'].includes(systemErrorCode(error) ?? '')) return;
  throw error;
}

/** Where the bytes of a part lie now, with their positions in the file. Throws the error when some were not moved. */
function movedParts(
  { at, offset, length, coding, sizeBytes }: RangePart<RestoreFile>,
  { ranges }: MovedPack,
  lost: unknown,
): (readonly [at: number, piece: PlacedPiece])[] {
  const found: (readonly [number, PlacedPiece])[] = [];
  let done = 0;
  for (const range of ranges) {
    const start = offset + done;
    if (range.offset > start || range.offset + range.length <= start) continue;
    const taken = Math.min(range.offset + range.length - start, length - done);
    const place = { pack: range.pack, offset: range.newOffset + start - range.offset, length: taken };
    found.push([at + done, coding === undefined ? place : { ...place, coding, sizeBytes: sizeBytes ?? length }]);
    done += taken;
    if (done === length) return found;
  }
  throw lost;
}

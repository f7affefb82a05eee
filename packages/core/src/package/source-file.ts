import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { BlockReader } from '../content/content-store.ts';
import { createDigester, type Digest } from '../digest.ts';
import { IngotError, isIngotError, systemErrorCode } from '../errors.ts';
import { readFailure } from './read-failure.ts';

/** What tells that a file is still the one that was looked at. */
export interface Snapshot {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
}

/** A file on disk, as it was found. */
export interface SourceFile {
  /** Path in the package. */
  readonly path: string;
  /** Where it lies; links are followed. */
  readonly absolute: string;
  readonly sizeBytes: number;
  /** 0o644 or 0o755. */
  readonly mode: number;
  readonly snapshot: Snapshot;
}

const BUFFER_BYTES = 1024 * 1024;

/** Takes the facts that tell whether a file changes later. */
export function snapshotOf(stats: BigIntStats): Snapshot {
  const { size, mtimeNs, ctimeNs, ino, dev } = stats;
  return { size, mtimeNs, ctimeNs, ino, dev };
}

/**
 * Streams a source file in pieces of up to 1 MiB.
 * @throws IngotError `source-changed` when the file is not, or does not stay, what the snapshot says; `interrupted`.
 */
export async function* readSource(file: SourceFile, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* pieces(file, () => Buffer.allocUnsafeSlow(bufferSize(file)), signal);
}

/** Opens a source file for reading into the caller's buffers. Throws as {@link readSource} does. */
export async function openSourceBlocks(file: SourceFile): Promise<BlockReader> {
  const handle = await openSame(file);
  let position = 0;
  return {
    read: async (into) => {
      try {
        const { bytesRead } = await handle.read(into, 0, into.byteLength, position);
        position += bytesRead;
        return bytesRead;
      } catch (error) {
        throw unreadable(file, error);
      }
    },
    close: async () => {
      await handle.close();
      if (position >= file.sizeBytes) assertSame(file, await snapshotNow(file));
    },
  };
}

/** Reads all of a small source file into a buffer of its size, without waiting. Throws as {@link readSource} does. */
export function readSourceNow(file: SourceFile, into: Uint8Array): void {
  let fd: number | undefined;
  try {
    fd = openSync(file.absolute, 'r');
    let position = 0;
    while (position < into.byteLength) {
      const count = readSync(fd, into, position, into.byteLength - position, position);
      if (count === 0) throw changed(file);
      position += count;
    }
    // After the last byte: nobody wrote before or meanwhile.
    assertSame(file, snapshotOf(fstatSync(fd, { bigint: true })));
  } catch (error) {
    throw isIngotError(error) ? error : unreadable(file, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Hashes a source file with one buffer. Throws as {@link readSource} does. */
export async function hashSource(
  file: SourceFile,
  options: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: Uint8Array) => void } = {},
): Promise<Digest> {
  const digester = createDigester();
  const buffer = Buffer.allocUnsafeSlow(bufferSize(file));
  for await (const piece of pieces(file, () => buffer, options.signal)) {
    digester.update(piece);
    options.onBytes?.(piece);
  }
  return digester.finish();
}

function bufferSize(file: SourceFile): number {
  return Math.max(1, Math.min(BUFFER_BYTES, file.sizeBytes));
}

async function* pieces(file: SourceFile, buffer: () => Buffer, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const handle = await openSame(file);
  try {
    let position = 0;
    while (position < file.sizeBytes) {
      if (signal?.aborted) throw new IngotError('interrupted', `reading ${file.path} was interrupted`);
      const target = buffer();
      const { bytesRead } = await handle.read(target, 0, Math.min(target.length, file.sizeBytes - position), position);
      if (bytesRead === 0) throw changed(file);
      position += bytesRead;
      yield target.subarray(0, bytesRead);
    }
    assertSame(file, await snapshotNow(file));
  } catch (error) {
    throw isIngotError(error) || systemErrorCode(error) === undefined ? error : unreadable(file, error);
  } finally {
    await handle.close();
  }
}

async function openSame(file: SourceFile): Promise<FileHandle> {
  const handle = await open(file.absolute, 'r').catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  try {
    assertSame(file, snapshotOf(await handle.stat({ bigint: true })));
    return handle;
  } catch (error) {
    await handle.close();
    throw isIngotError(error) ? error : unreadable(file, error);
  }
}

/** The file that has the name now: another one may have been put in its place while the old one was read. */
async function snapshotNow(file: SourceFile): Promise<Snapshot> {
  try {
    return snapshotOf(await stat(file.absolute, { bigint: true }));
  } catch (error) {
    throw unreadable(file, error);
  }
}

function assertSame(file: SourceFile, now: Snapshot): void {
  const was = file.snapshot;
  if (now.size !== was.size || now.mtimeNs !== was.mtimeNs || now.ino !== was.ino) throw changed(file);
}

function changed(file: SourceFile): IngotError {
  return new IngotError('source-changed', `${file.path} changed while it was read`, {
    operation: 'package.read',
    hint: 'wait until whatever writes it has finished, then run the same command again',
    details: { path: file.path },
  });
}

function unreadable(file: SourceFile, cause: unknown): IngotError {
  if (systemErrorCode(cause) === 'ENOENT') return changed(file);
  const failure = readFailure(cause, file.path);
  if (failure !== undefined) return failure;
  const code = systemErrorCode(cause) ?? 'unknown error';
  return new IngotError('invalid-package', `${file.path} cannot be read (${code})`, {
    operation: 'package.read',
    hint: `check the permissions of ${file.absolute}`,
    details: { path: file.path },
    cause,
  });
}

import type { BigIntStats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createDigester, type Digest } from '../digest.ts';
import { IngotError, isIngotError, systemErrorCode } from '../errors.ts';

/** What tells that a file is still the one that was looked at. */
export interface Snapshot {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
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
  return { size: stats.size, mtimeNs: stats.mtimeNs, ino: stats.ino };
}

/**
 * Streams a source file in pieces of up to 1 MiB.
 * @throws IngotError `source-changed` when the file is not, or does not stay, what the snapshot says; `interrupted`.
 */
export async function* readSource(file: SourceFile, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* pieces(file, () => Buffer.allocUnsafeSlow(bufferSize(file)), signal);
}

/** Hashes a source file with one buffer. Throws as {@link readSource} does. */
export async function hashSource(
  file: SourceFile,
  options: { readonly signal?: AbortSignal; readonly onBytes?: (count: number) => void } = {},
): Promise<Digest> {
  const digester = createDigester();
  const buffer = Buffer.allocUnsafeSlow(bufferSize(file));
  for await (const piece of pieces(file, () => buffer, options.signal)) {
    digester.update(piece);
    options.onBytes?.(piece.length);
  }
  return digester.finish();
}

function bufferSize(file: SourceFile): number {
  return Math.max(1, Math.min(BUFFER_BYTES, file.sizeBytes));
}

async function* pieces(file: SourceFile, buffer: () => Buffer, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const handle = await open(file.absolute, 'r').catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  try {
    assertSame(file, snapshotOf(await handle.stat({ bigint: true })));
    let position = 0;
    while (position < file.sizeBytes) {
      if (signal?.aborted) throw new IngotError('interrupted', `reading ${file.path} was interrupted`);
      const target = buffer();
      const { bytesRead } = await handle.read(target, 0, Math.min(target.length, file.sizeBytes - position), position);
      if (bytesRead === 0) throw changed(file);
      position += bytesRead;
      yield target.subarray(0, bytesRead);
    }
    assertSame(file, snapshotOf(await stat(file.absolute, { bigint: true })));
  } catch (error) {
    throw isIngotError(error) || systemErrorCode(error) === undefined ? error : unreadable(file, error);
  } finally {
    await handle.close();
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
  const code = systemErrorCode(cause) ?? 'unknown error';
  return new IngotError('invalid-package', `${file.path} cannot be read (${code})`, {
    operation: 'package.read',
    hint: `check the permissions of ${file.absolute}`,
    details: { path: file.path },
    cause,
  });
}

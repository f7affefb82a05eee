import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, isDigest } from '../digest.ts';
import { IngotError, isIngotError, systemErrorCode } from '../errors.ts';
import { type Decoder, fields, list, maybe, number, record, size, text } from './decode.ts';
import { isPackagePath } from './paths.ts';
import type { WrittenFile } from './unpack.ts';

/** What the cache knows of a package: enough to see at a glance that it is whole. */
export interface CacheRecord {
  readonly format: number;
  readonly manifest: Digest;
  readonly model?: string;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly fetchedAt: string;
  readonly files: readonly WrittenFile[];
  /** When all files were last read and found right, ISO 8601; at first when they arrived. Missing in records of old releases. */
  readonly verifiedAt?: string;
  /** By recipe digest: the digest of what was captured for that version, or null. */
  readonly recipes: Readonly<Record<string, Digest | null>>;
}

/** Reads a digest. */
export const digestText: Decoder<Digest> = (value, at) => {
  const found = text(value, at);
  if (isDigest(found)) return found;
  throw new IngotError('invalid-package', `${at} is no digest`);
};

const path: Decoder<string> = (value, at) => {
  const found = text(value, at);
  if (isPackagePath(found)) return found;
  throw new IngotError('invalid-package', `${at} is no path of a package`);
};

/** Reads what is noted of a file. */
export const writtenFile: Decoder<WrittenFile> = fields<WrittenFile>({
  path,
  digest: digestText,
  sizeBytes: size,
  mode: size,
  mtimeMs: number,
  ctimeMs: maybe(number),
  ino: maybe(number),
});

const decode: Decoder<CacheRecord> = fields<CacheRecord>({
  format: number,
  manifest: digestText,
  model: maybe(text),
  sizeBytes: size,
  fetchedAt: text,
  files: list(writtenFile),
  verifiedAt: maybe(text),
  recipes: record((value, at) => (value === null ? null : digestText(value, at))),
});

/** Reads the record of a cached package; undefined when there is none that can be used. */
export async function readRecord(place: string): Promise<CacheRecord | undefined> {
  try {
    const found = decode(JSON.parse(await readFile(join(place, 'record.json'), 'utf8')), 'record');
    return found.format === 1 ? found : undefined;
  } catch (error) {
    // A cache may be thrown away at any time: a record that is gone or damaged means "not here".
    if (isIngotError(error) || error instanceof SyntaxError) return undefined;
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Writes the record, whole or not at all. */
export async function writeRecord(place: string, value: CacheRecord): Promise<void> {
  const temporary = join(place, `.record-${randomBytes(8).toString('hex')}`);
  await writeFile(temporary, JSON.stringify(value), { flush: true });
  await rename(temporary, join(place, 'record.json'));
}

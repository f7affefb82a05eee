import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, isDigest } from './digest.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { makeDirectory } from './make-directory.ts';
import { isIngotError } from './errors.ts';
import { type ModelName, parseModelName } from './ref.ts';
import type { SourceVersion } from './source/source-version.ts';

/** What an address meant when it was last looked at, and the package that was made of it. */
export interface SourceRecord {
  /** Without secrets. */
  readonly address: string;
  readonly location: string;
  readonly revision: string;
  readonly model: ModelName;
  readonly version: SourceVersion;
  /** ISO 8601; when the files were last changed. */
  readonly modifiedAt: string;
  readonly sizeBytes: number;
  readonly because: string;
  readonly notes: readonly string[];
  readonly manifest: Digest;
  /** ISO 8601; when it was looked at. */
  readonly at: string;
}

/** Remembers what addresses meant, so that a start without their storage finds the last package. */
export class SourceRecords {
  readonly #directory: string;

  /** `directory` is made with the first record. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What an address meant last; undefined when it was never looked at here. */
  async find(identity: string): Promise<SourceRecord | undefined> {
    try {
      return parseRecord(JSON.parse(await readFile(this.#path(identity), 'utf8')));
    } catch {
      // Never written, or damaged: nothing is known either way.
      return undefined;
    }
  }

  /** Keeps what an address means now. A cache that cannot be written must not fail what worked. */
  async keep(identity: string, record: SourceRecord): Promise<void> {
    const path = this.#path(identity);
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      await makeDirectory(this.#directory, { mode: 0o700 });
      await writeFile(temporary, JSON.stringify({ format: 1, ...record }), { mode: 0o600, flush: true });
      await rename(temporary, path);
    } catch {
      await rm(temporary, { force: true }).catch(() => {});
    }
  }

  #path(identity: string): string {
    return join(this.#directory, `${createHash('sha256').update(identity).digest('hex').slice(0, 32)}.json`);
  }
}

function parseRecord(value: unknown): SourceRecord | undefined {
  if (!isJsonObject(value) || value.format !== 1 || !isJsonObject(value.version)) return undefined;
  const [address, location, revision, modifiedAt, because, at] = texts(value, [
    'address',
    'location',
    'revision',
    'modifiedAt',
    'because',
    'at',
  ]);
  const [model = '', manifest = ''] = texts(value, ['model', 'manifest']);
  const version = parseVersion(value.version);
  const complete = [address, location, revision, modifiedAt, because, at].every((text) => text !== undefined);
  if (!complete || version === undefined || !isDigest(manifest)) return undefined;
  const name = modelName(model);
  if (name === undefined) return undefined;
  return {
    address: address ?? '',
    location: location ?? '',
    revision: revision ?? '',
    modifiedAt: modifiedAt ?? '',
    because: because ?? '',
    at: at ?? '',
    model: name,
    manifest,
    version,
    sizeBytes: typeof value.sizeBytes === 'number' ? value.sizeBytes : 0,
    notes: Array.isArray(value.notes) ? value.notes.filter((note) => typeof note === 'string') : [],
  };
}

function modelName(text: string): ModelName | undefined {
  try {
    return parseModelName(text);
  } catch (error) {
    if (isIngotError(error)) return undefined;
    throw error;
  }
}

function parseVersion(value: JsonObject): SourceVersion | undefined {
  const [text, label, date] = texts(value, ['text', 'label', 'date']);
  if (text === undefined) return undefined;
  return {
    text,
    ...(label !== undefined && { label }),
    ...(date !== undefined && { date }),
    ...(typeof value.number === 'number' && { number: value.number }),
  };
}

function texts(value: JsonObject, keys: readonly string[]): (string | undefined)[] {
  return keys.map((key) => {
    const text = value[key];
    return typeof text === 'string' ? text : undefined;
  });
}

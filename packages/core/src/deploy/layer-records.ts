import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf } from '../digest.ts';
import { systemErrorCode } from '../errors.ts';
import { canonicalJson, isJsonObject, type JsonObject, parseJson } from '../json.ts';
import { makeDirectory } from '../make-directory.ts';
import { isOciDigest } from '../oci/digest.ts';
import { OCI_MEDIA_TYPES } from '../oci/media-types.ts';
import type { OciDigest } from '../oci/oci-place.ts';
import type { ImageLayer } from './image-layer.ts';

/** What a layer turned out to be. */
export interface LayerRecord {
  readonly mediaType: string;
  /** Of the bytes as they are sent. */
  readonly digest: OciDigest;
  /** Of the tar. */
  readonly diffId: OciDigest;
  readonly sizeBytes: number;
}

/** Counted up when the same entries give other bytes. */
const LAYER_FORMAT = 2;

/**
 * What is remembered of layers that were made: from what they follow to what they are. Losing it costs making them
 * again; a record that is wrong is found out, as bytes are compared with their digest wherever they are read.
 */
export class LayerRecords {
  readonly #directory: string;

  /** @param directory need not be there yet. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Finds what a layer of these inputs was. */
  async find(layer: ImageLayer): Promise<LayerRecord | undefined> {
    const text = await readOr(this.#path(layer));
    const value = text === undefined ? undefined : parseJson(text);
    return isJsonObject(value) ? recordFrom(value) : undefined;
  }

  /** Remembers what a layer is. */
  async keep(layer: ImageLayer, record: LayerRecord): Promise<void> {
    await replaceFile(this.#path(layer), canonicalJson({ ...record, inputs: layer.inputs }));
  }

  /** Forgets a layer, of which other bytes were found. */
  async forget(layer: ImageLayer): Promise<void> {
    await rm(this.#path(layer), { force: true });
  }

  #path(layer: ImageLayer): string {
    const { name, inputs, gzip = false } = layer;
    const key = digestOf(canonicalJson({ form: LAYER_FORMAT, name, inputs, gzip }));
    return join(this.#directory, `${key.slice('sha256:'.length)}.json`);
  }
}

/** Reads a file of the cache; undefined when there is none. */
export async function readOr(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces a file of the cache in one step. It need not survive a power cut: then it is as if it had never been. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await makeDirectory(dirname(path));
  const draft = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    await writeFile(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

const LAYER_TYPES: readonly string[] = [OCI_MEDIA_TYPES.layer, OCI_MEDIA_TYPES.layerGzip];

/** What a crash or another release left is as if it were not there. */
function recordFrom({ mediaType, digest, diffId, sizeBytes }: JsonObject): LayerRecord | undefined {
  if (typeof mediaType !== 'string' || !LAYER_TYPES.includes(mediaType)) return undefined;
  if (!isOciDigest(digest) || !isOciDigest(diffId)) return undefined;
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes)) return undefined;
  return { mediaType, digest, diffId, sizeBytes };
}

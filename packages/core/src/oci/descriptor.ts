import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import { isOciDigest } from './digest.ts';
import type { Descriptor, Platform } from './oci-place.ts';

/** RFC 6838's names, with the parameters some tools append. */
const MEDIA_TYPE = /^[A-Za-z0-9][\w!#$&.+^-]{0,126}\/[A-Za-z0-9][\w!#$&.+^-]{0,126}(?:\s*;[\x20-\x7e]*)?$/;

/**
 * Reads a descriptor that may come from anywhere. What it says besides is left out.
 * @param at where it stands, for messages: `layers[3]`.
 * @throws IngotError `invalid-package` naming the field.
 * @example
 * parseDescriptor({ mediaType: 'application/octet-stream', digest: `sha256:${'0'.repeat(64)}`, size: 3 }, 'config');
 */
export function parseDescriptor(value: unknown, at: string): Descriptor {
  if (!isJsonObject(value)) throw wrong(at, 'an object', value);
  const { digest, size } = value;
  if (!isOciDigest(digest)) throw wrong(`${at}.digest`, 'a sha256 or sha512 digest', digest);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw wrong(`${at}.size`, 'a number of bytes', size);
  const platform = platformOf(value.platform, `${at}.platform`);
  return {
    mediaType: mediaTypeOf(value.mediaType, `${at}.mediaType`),
    digest,
    size,
    ...optionalText(value, 'artifactType', at),
    ...optionalText(value, 'data', at),
    ...optionalAnnotations(value, at),
    ...(platform === undefined ? {} : { platform }),
  };
}

/** Reads a media type. Throws `invalid-package`. */
export function mediaTypeOf(value: unknown, at: string): string {
  if (typeof value === 'string' && MEDIA_TYPE.test(value)) return value;
  throw wrong(at, 'a media type', value);
}

/** Reads annotations: texts by name. Throws `invalid-package`. */
export function annotationsOf(value: unknown, at: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw wrong(at, 'an object of texts', value);
  const texts: [string, string][] = [];
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') throw wrong(`${at}["${key.slice(0, 60)}"]`, 'a text', entry);
    texts.push([key, entry]);
  }
  return Object.fromEntries(texts);
}

/** The error of a value that should be something else. */
export function wrong(at: string, expected: string, value: unknown): IngotError {
  const shown = value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, 60) ?? typeof value);
  return new IngotError('invalid-package', `${at} should be ${expected}, not ${shown}`, { operation: 'oci.read' });
}

function optionalAnnotations(value: JsonObject, at: string): Pick<Descriptor, 'annotations'> {
  const annotations = annotationsOf(value.annotations, `${at}.annotations`);
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

function optionalText<K extends 'artifactType' | 'data'>(value: JsonObject, key: K, at: string): { [P in K]?: string } {
  const entry = value[key];
  if (entry === undefined || entry === null || entry === '') return {};
  if (typeof entry !== 'string') throw wrong(`${at}.${key}`, 'a text', entry);
  const found: { [P in K]?: string } = {};
  found[key] = entry;
  return found;
}

function platformOf(value: unknown, at: string): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw wrong(at, 'an object', value);
  const { os, architecture, variant } = value;
  if (typeof os !== 'string') throw wrong(`${at}.os`, 'a text', os);
  if (typeof architecture !== 'string') throw wrong(`${at}.architecture`, 'a text', architecture);
  if (variant !== undefined && typeof variant !== 'string') throw wrong(`${at}.variant`, 'a text', variant);
  return { os, architecture, ...(variant === undefined || variant === '' ? {} : { variant }) };
}

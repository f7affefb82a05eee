import type { Capture } from '../capture.ts';
import { IngotError } from '../errors.ts';
import { canonicalJson } from '../json.ts';
import { DATATYPES, FEATURE_TYPES, type Feature, type Row, type Signature } from '../signature.ts';
import { profileFrom } from './captured-profile.ts';
import { type Decoder, fields, flag, json, list, maybe, number, oneOf, record, scalar, text } from './decode.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/** Checks a feature that came as JSON. */
export const featureFrom: Decoder<Feature> = fields<Feature>({
  name: text,
  type: oneOf(FEATURE_TYPES),
  description: maybe(text),
  categories: maybe(list(scalar)),
  dtype: maybe(oneOf(DATATYPES)),
  shape: maybe(list(number)),
  nullable: maybe(flag),
  min: maybe(number),
  max: maybe(number),
  format: maybe(text),
  timezone: maybe(text),
  classes: maybe(list(scalar)),
});

/** Checks a signature that came as JSON. */
export const signatureFrom: Decoder<Signature> = fields<Signature>({
  inputs: list(featureFrom),
  outputs: list(featureFrom),
  origin: oneOf(['metadata', 'graph', 'captured']),
  partial: maybe(flag),
  system: maybe(text),
});

const row: Decoder<Row> = record(json);

const capture: Decoder<Capture> = fields<Capture>({
  flavor: maybe(text),
  author: maybe(text),
  signature: maybe((value, at) => signatureFrom(withOrigin(value), at)),
  example: maybe(fields<NonNullable<Capture['example']>>({ inputs: list(row), predictions: maybe(list(json)) })),
  params: maybe(record(json)),
  metrics: maybe(record(number)),
  tags: maybe(record(text)),
  lineage: maybe(
    fields<NonNullable<Capture['lineage']>>({
      git: maybe(fields({ commit: text, branch: maybe(text), remote: maybe(text), dirty: flag, diff: maybe(text) })),
      notebook: maybe(text),
      run: maybe(text),
      data: maybe(
        list(
          fields({
            name: text,
            digest: maybe(text),
            source: maybe(text),
            rows: maybe(number),
            columns: maybe(number),
          }),
        ),
      ),
      parents: maybe(list(text)),
      source: maybe(fields({ address: text, revision: text, objectVersion: maybe(text) })),
    }),
  ),
  environment: maybe(
    fields<NonNullable<Capture['environment']>>({
      python: maybe(text),
      platform: maybe(text),
      requirements: listOrNothing,
      lock: maybe(list(text)),
    }),
  ),
  serializer: maybe(
    fields<NonNullable<Capture['serializer']>>({ name: text, executesCode: flag, reason: maybe(text) }),
  ),
  model: maybe(
    fields<NonNullable<Capture['model']>>({ class: maybe(text), framework: maybe(text), version: maybe(text) }),
  ),
  profile: maybe(profileFrom),
  card: maybe(text),
});

function listOrNothing(value: unknown, at: string): readonly string[] {
  return value === undefined || value === null ? [] : list(text)(value, at);
}

function withOrigin(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !('origin' in value) ? { ...value, origin: 'captured' } : value;
}

/**
 * Checks a captured document that was parsed from JSON. Unknown fields are dropped; a signature without `origin` is
 * `captured`.
 * @throws IngotError `usage` naming the field and its value.
 */
export function parseCapture(value: unknown): Capture {
  try {
    return capture(value, 'captured');
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    throw new IngotError('usage', `the captured document is malformed: ${error.message}`, {
      operation: 'captured',
      cause: error,
    });
  }
}

/** Reads a captured document from its JSON text. Throws `usage` as {@link parseCapture} does. */
export function readCapture(source: string | Uint8Array): Capture {
  const source8 = typeof source === 'string' ? source : Buffer.from(source).toString('utf8');
  if (source8.length > MAX_BYTES)
    throw new IngotError('usage', 'the captured document is larger than 16 MiB', { operation: 'captured' });
  let value: unknown;
  try {
    value = JSON.parse(source8);
  } catch (cause) {
    throw new IngotError('usage', `the captured document is not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      operation: 'captured',
      cause,
    });
  }
  return parseCapture(value);
}

/** The bytes under which a captured document is stored: canonical JSON. */
export function captureBytes(capture: Capture): Uint8Array {
  return Buffer.from(canonicalJson(capture));
}

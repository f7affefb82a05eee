import { IngotError } from '@ingot/core/errors';
import { type JsonObject, isJsonObject } from '@ingot/core/json';
import type { Feature } from '@ingot/core/signature';
import { describeValue } from '../describe-value.ts';

/** The four forms in which MLflow's scoring protocol wraps input. */
const ENVELOPES = ['dataframe_split', 'dataframe_records', 'instances', 'inputs'] as const;

/** The name of one of them. */
export type EnvelopeName = (typeof ENVELOPES)[number];

/** What an envelope held. */
export interface Envelope {
  readonly name: EnvelopeName;
  readonly content: unknown;
  readonly params: JsonObject;
}

/**
 * Opens the envelope of a scoring request.
 * @throws IngotError `invalid-request` unless there is exactly one.
 */
export function openEnvelope(value: unknown): Envelope {
  if (!isJsonObject(value))
    throw new IngotError(
      'invalid-request',
      `the body is ${describeValue(value)}; send an object with ${ENVELOPES.join(', ')} (or rows to /predict/<model>)`,
    );
  const present = ENVELOPES.filter((name) => Object.hasOwn(value, name));
  const [name] = present;
  if (name === undefined || present.length > 1) {
    throw new IngotError(
      'invalid-request',
      `the body must hold exactly one of ${ENVELOPES.join(', ')}; it holds ${present.join(' and ') || 'none'}`,
    );
  }
  const params = value.params ?? {};
  if (!isJsonObject(params)) throw new IngotError('invalid-request', '"params" must be an object');
  return { name, content: value[name], params };
}

/**
 * Turns an envelope's content into rows. Lists of values without column names are read in the order of the signature.
 * @throws IngotError `invalid-request` when the content contradicts itself.
 */
export function envelopeRows(
  { name, content }: Pick<Envelope, 'name' | 'content'>,
  features: readonly Feature[],
): readonly unknown[] {
  if (name === 'dataframe_split') return splitRows(content, features);
  if (name === 'inputs' && isJsonObject(content)) return columnRows(content);
  if (Array.isArray(content)) return content.map((row) => named(row, features));
  if (name === 'inputs') return [content];
  throw new IngotError('invalid-request', `"${name}" is ${describeValue(content)}, not a list`);
}

function splitRows(content: unknown, features: readonly Feature[]): readonly unknown[] {
  if (!isJsonObject(content) || !Array.isArray(content.data))
    throw new IngotError('invalid-request', '"dataframe_split" must be an object with "columns" and "data"');
  const { columns, data } = content;
  if (columns === undefined) return data.map((row) => named(row, features));
  if (!Array.isArray(columns)) throw new IngotError('invalid-request', '"columns" must be a list');
  const names = columns.map(String);
  if (new Set(names).size !== names.length) throw new IngotError('invalid-request', '"columns" names a column twice');
  return data.map((row: unknown, index) => {
    if (Array.isArray(row) && row.length === names.length) return zip(names, row);
    const found = Array.isArray(row) ? `${row.length} values` : describeValue(row);
    throw new IngotError('invalid-request', `row ${index} of "data" is ${found}, "columns" names ${names.length}`);
  });
}

/** `{"inputs": {"age": [41, 23], …}}`: a list of values a feature. */
function columnRows(content: JsonObject): readonly unknown[] {
  const columns = Object.entries(content);
  const rows = columns.map(([, values]) => (Array.isArray(values) ? values.length : 1));
  const [count] = rows;
  const odd = rows.findIndex((length) => length !== count);
  if (odd !== -1)
    throw new IngotError(
      'invalid-request',
      `column ${describeValue(columns[odd]?.[0])} has ${rows[odd]} values, ${describeValue(columns[0]?.[0])} has ${count}`,
    );
  return Array.from({ length: count ?? 0 }, (_, row) =>
    Object.fromEntries(columns.map(([name, values]) => [name, Array.isArray(values) ? values[row] : values])),
  );
}

/** A bare list is a row in the order of the signature, unless the model takes lists. */
function named(row: unknown, features: readonly Feature[]): unknown {
  const tabular = features.length > 0 && features.every((feature) => feature.type !== 'tensor');
  if (!tabular) return row;
  const values = Array.isArray(row) ? row : features.length === 1 && !isJsonObject(row) ? [row] : undefined;
  if (values === undefined) return row;
  if (values.length === features.length)
    return zip(
      features.map((feature) => feature.name),
      values,
    );
  throw new IngotError(
    'signature-mismatch',
    `a row has ${values.length} values, the model takes ${features.length}: ${features
      .slice(0, 20)
      .map((feature) => feature.name)
      .join(', ')}`,
  );
}

function zip(names: readonly string[], values: readonly unknown[]): object {
  return Object.fromEntries(names.map((name, index) => [name, values[index]]));
}

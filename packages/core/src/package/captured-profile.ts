import type { DataProfile, FeatureProfile } from '../profile.ts';
import { type Decoder, fields, list, maybe, number, scalar, size, text } from './decode.ts';

type Cell = NonNullable<FeatureProfile['values']>[number];

const cell: Decoder<Cell> = (value, at) => {
  const [said, rows] = Array.isArray(value) ? value : [];
  return [scalar(said, `${at}[0]`), size(rows, `${at}[1]`)];
};

const feature: Decoder<FeatureProfile> = fields<FeatureProfile>({
  name: text,
  dtype: maybe(text),
  missing: maybe(number),
  distinct: maybe(number),
  mean: maybe(number),
  std: maybe(number),
  quantiles: maybe(list(number)),
  edges: maybe(list(number)),
  counts: maybe(list(size)),
  values: maybe(list(cell)),
  other: maybe(size),
});

/** Checks a profile of training data that came as JSON. */
export const profileFrom: Decoder<DataProfile> = fields<DataProfile>({
  rows: size,
  columns: size,
  profiledRows: maybe(size),
  omitted: maybe(size),
  features: maybe(list(feature)),
  target: maybe(list(feature)),
});

import { DATATYPES, type Datatype, FEATURE_TYPES, type Feature, type FeatureType } from '../signature.ts';
import { nearest } from '../nearest.ts';
import type { Problem } from './package.ts';
import type { Tree } from './yaml-tree.ts';

/** Receives problems with their place in the file. */
export type Report = (
  severity: Problem['severity'],
  rule: string,
  message: string,
  place: { readonly line: number; readonly column: number },
  fix?: string,
) => void;

const KEYS = [
  'name',
  'type',
  'description',
  'categories',
  'dtype',
  'shape',
  'nullable',
  'min',
  'max',
  'format',
  'timezone',
  'classes',
];

/** What people write for the seven types. */
const SYNONYMS: Readonly<Record<string, FeatureType>> = {
  number: 'float',
  numeric: 'float',
  double: 'float',
  float32: 'float',
  float64: 'float',
  int: 'integer',
  int32: 'integer',
  int64: 'integer',
  long: 'integer',
  bool: 'boolean',
  str: 'string',
  text: 'string',
  category: 'categorical',
  enum: 'categorical',
  date: 'datetime',
  timestamp: 'datetime',
  array: 'tensor',
};

const DTYPE_NAMES: Readonly<Record<string, Datatype>> = {
  bool: 'BOOL',
  float16: 'FP16',
  float32: 'FP32',
  float: 'FP32',
  float64: 'FP64',
  double: 'FP64',
  string: 'BYTES',
  object: 'BYTES',
  str: 'BYTES',
};

/** Reads a datatype as V2 (`FP32`) or numpy (`float32`) spells it. */
export function parseDatatype(text: string): Datatype | undefined {
  const upper = text.toUpperCase();
  return DATATYPES.find((name) => name === upper) ?? DTYPE_NAMES[text.toLowerCase()];
}

/**
 * Reads `input_features` or `output`: a list of features; a single output may stand without the list. When a feature
 * says no type none of them can be checked, so the list is empty (the raw metadata keeps them).
 */
export function parseFeatures(tree: Tree | undefined, key: string, report: Report): Feature[] {
  if (tree === undefined || tree.value === null) return [];
  const items = tree.items ?? (key === 'output' && tree.entries !== undefined ? [tree] : undefined);
  if (items === undefined) {
    report(
      'error',
      'features-not-a-list',
      `${key} should be a list of features`,
      tree,
      `write "${key}:" and below it "- name: …" with "type: …"`,
    );
    return [];
  }
  const parsed = items.map((item, index) => parseFeature(item, `${key}[${index}]`, key, items.length, report));
  const seen = new Set<string>();
  parsed.forEach((feature, index) => {
    if (typeof feature !== 'object') return;
    const place = items[index] ?? tree;
    if (seen.has(feature.name))
      report('error', 'feature-twice', `${key} names "${feature.name}" twice`, place, 'rename or remove one of them');
    seen.add(feature.name);
  });
  return parsed.includes('untyped') ? [] : parsed.flatMap((feature) => (typeof feature === 'object' ? [feature] : []));
}

function parseFeature(
  tree: Tree,
  at: string,
  key: string,
  count: number,
  report: Report,
): Feature | 'untyped' | undefined {
  const { entries } = tree;
  if (entries === undefined) {
    report(
      'error',
      'feature-not-a-map',
      `${at} should have a name and a type`,
      tree,
      'write "- name: tenure" and below it "type: float"',
    );
    return undefined;
  }
  for (const [entry, { key: place }] of entries) {
    const meant = KEYS.includes(entry) ? undefined : nearest(entry, KEYS);
    if (meant !== undefined)
      report('warning', 'unknown-key', `${at} has the unknown key "${entry}"`, place, `did you mean ${meant}?`);
  }
  const get = (name: string): Tree | undefined => {
    const found = entries.get(name)?.tree;
    return found?.value === null ? undefined : found;
  };
  const named = get('name');
  const name = named?.text ?? (key === 'output' && count === 1 ? 'output' : undefined);
  if (name === undefined || name === '') {
    report('error', 'feature-without-name', `${at} has no name`, named ?? tree, 'add "name: …"');
    return undefined;
  }
  const type = parseType(get('type'), get('categories'), get('dtype'), name, tree, report);
  if (type === undefined) return 'untyped';
  return {
    name,
    type,
    ...textOf('description', get('description')),
    ...parseScalars('categories', get('categories'), name, report),
    ...parseDtype(get('dtype'), name, report),
    ...parseShape(get('shape'), name, report),
    ...parseFlag(get('nullable'), name, report),
    ...parseBound('min', get('min'), name, report),
    ...parseBound('max', get('max'), name, report),
    ...textOf('format', get('format')),
    ...textOf('timezone', get('timezone')),
    ...parseScalars('classes', get('classes'), name, report),
  };
}

function parseType(
  type: Tree | undefined,
  categories: Tree | undefined,
  dtype: Tree | undefined,
  name: string,
  item: Tree,
  report: Report,
): FeatureType | undefined {
  if (type === undefined) {
    const guess = categories !== undefined ? 'categorical' : dtype !== undefined ? 'tensor' : undefined;
    const lost = guess === undefined ? ', so these features cannot be checked' : ` and is read as ${guess}`;
    const fix = `add "type: ${guess ?? '…'}" (one of ${FEATURE_TYPES.join(', ')})`;
    report('warning', 'feature-without-type', `feature "${name}" has no type${lost}`, item, fix);
    return guess;
  }
  const written = type.text ?? '';
  const exact = FEATURE_TYPES.find((known) => known === written);
  if (exact !== undefined) {
    if (exact === 'categorical' && categories === undefined) {
      report(
        'warning',
        'categories-missing',
        `the categorical feature "${name}" lists no categories`,
        type,
        "add \"categories: ['a', 'b']\" so that wrong values are found",
      );
    }
    return exact;
  }
  const synonym = SYNONYMS[written.toLowerCase()] ?? FEATURE_TYPES.find((known) => known === written.toLowerCase());
  if (synonym !== undefined) {
    report(
      'warning',
      'feature-type-synonym',
      `feature "${name}": "${written}" is read as ${synonym}`,
      type,
      `write "type: ${synonym}"`,
    );
    return synonym;
  }
  const meant = nearest(written, [...FEATURE_TYPES, ...Object.keys(SYNONYMS)]);
  const hint =
    meant === undefined ? `use one of ${FEATURE_TYPES.join(', ')}` : `did you mean ${SYNONYMS[meant] ?? meant}?`;
  report('error', 'feature-type', `feature "${name}" has the unknown type "${written.slice(0, 40)}"`, type, hint);
  return 'string';
}

function textOf<K extends 'description' | 'format' | 'timezone'>(
  key: K,
  tree: Tree | undefined,
): { readonly [P in K]?: string } {
  const values: { [P in K]?: string } = {};
  if (tree?.text !== undefined) values[key] = tree.text;
  return values;
}

function parseScalars<K extends 'categories' | 'classes'>(
  key: K,
  tree: Tree | undefined,
  name: string,
  report: Report,
): { readonly [P in K]?: readonly (string | number | boolean)[] } {
  const values: { [P in K]?: readonly (string | number | boolean)[] } = {};
  if (tree === undefined) return values;
  const scalars = tree.items?.flatMap((item) => category(item) ?? []);
  if (scalars === undefined || scalars.length !== tree.items?.length || scalars.length === 0) {
    report(
      'error',
      `${key}-not-a-list`,
      `${key} of "${name}" should be a list of values`,
      tree,
      `write "${key}: ['a', 'b']"`,
    );
    return values;
  }
  const twice = scalars.find((value, index) => scalars.indexOf(value) !== index);
  if (twice !== undefined)
    report(
      'warning',
      `${key}-twice`,
      `${key} of "${name}" has ${JSON.stringify(twice)} twice`,
      tree,
      'keep one of them',
    );
  values[key] = scalars;
  return values;
}

/** A category as written: `012` is a code, not the number 12. */
function category(item: Tree): string | number | boolean | undefined {
  if (typeof item.value === 'object') return undefined;
  return typeof item.value === 'number' && /^[-+]?0\d/.test(item.text ?? '') ? item.text : item.value;
}

function parseDtype(tree: Tree | undefined, name: string, report: Report): { readonly dtype?: Datatype } {
  if (tree === undefined) return {};
  const dtype = parseDatatype(tree.text ?? '');
  if (dtype !== undefined) return { dtype };
  report(
    'error',
    'feature-dtype',
    `feature "${name}" has the unknown dtype "${tree.text ?? '…'}"`,
    tree,
    `use one of ${DATATYPES.join(', ')}`,
  );
  return {};
}

function parseShape(tree: Tree | undefined, name: string, report: Report): { readonly shape?: readonly number[] } {
  if (tree === undefined) return {};
  const shape = tree.items?.map((item) => (item.value === null ? -1 : item.value));
  const good = shape?.filter(
    (dimension): dimension is number => Number.isSafeInteger(dimension) && Number(dimension) >= -1,
  );
  if (shape !== undefined && good?.length === shape.length) return { shape: good };
  report(
    'error',
    'feature-shape',
    `the shape of "${name}" should be a list of whole numbers`,
    tree,
    'write "shape: [-1, 28, 28]" with -1 for a dimension that varies',
  );
  return {};
}

function parseFlag(tree: Tree | undefined, name: string, report: Report): { readonly nullable?: boolean } {
  if (tree === undefined) return {};
  if (typeof tree.value === 'boolean') return { nullable: tree.value };
  report(
    'error',
    'feature-nullable',
    `nullable of "${name}" should be true or false, not "${tree.text ?? '…'}"`,
    tree,
    'write true or false',
  );
  return {};
}

function parseBound<K extends 'min' | 'max'>(
  key: K,
  tree: Tree | undefined,
  name: string,
  report: Report,
): { readonly [P in K]?: number } {
  const values: { [P in K]?: number } = {};
  if (tree === undefined) return values;
  if (typeof tree.value === 'number') values[key] = tree.value;
  else report('error', 'feature-bound', `${key} of "${name}" should be a number`, tree);
  return values;
}

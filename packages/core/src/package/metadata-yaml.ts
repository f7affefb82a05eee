import { isJsonObject } from '../json.ts';
import type { Feature, Signature } from '../signature.ts';
import { parseEnvironmentVariables } from './metadata-variables.ts';
import { parseFeatures, type Report } from './metadata-features.ts';
import { nearest } from '../nearest.ts';
import type { Metadata, Problem } from './package.ts';
import { parseYaml, type Tree } from './yaml-tree.ts';

/** The keys whose meaning is known; others are kept as they are. */
export const METADATA_KEYS = [
  'name',
  'version',
  'description',
  'author',
  'created_date',
  'trained_on_data',
  'input_features',
  'output',
  'hyperparameters',
  'environment_variables',
  'python_version',
  'license',
] as const;

/** Where features were written: by `input_features`, `input_features.tenure`, `output`, `output.churn`. 1-based. */
export type Places = ReadonlyMap<string, { readonly line: number; readonly column: number }>;

/** What was read of a metadata file; undefined when it cannot be read at all. */
export interface MetadataResult {
  readonly metadata?: Metadata;
  readonly problems: readonly Problem[];
  readonly places?: Places;
}

/**
 * Reads `metadata.yaml` (YAML 1.2 core, so JSON too). Every key may be missing and unknown keys are kept; all problems
 * are reported at once with line and column.
 */
export function parseMetadata(source: string, file = 'metadata.yaml'): MetadataResult {
  const { tree, problems: syntax } = parseYaml(source, file);
  if (tree === undefined) return syntax.length > 0 ? { problems: syntax } : { metadata: EMPTY, problems: [] };
  const problems: Problem[] = [...syntax];
  const report: Report = (severity, rule, message, place, fix) => {
    problems.push({
      severity,
      rule: `metadata.${rule}`,
      message,
      file,
      line: place.line,
      column: place.column,
      ...(fix === undefined ? {} : { fix }),
    });
  };
  const { entries } = tree;
  if (entries === undefined || !isJsonObject(tree.lossless)) {
    if (tree.value === null) return { metadata: EMPTY, problems };
    report('error', 'not-a-map', `${file} should hold "key: value" lines`, tree, 'start with "name: …"');
    return { problems };
  }
  for (const [key, { key: place }] of entries) {
    const meant = METADATA_KEYS.some((known) => known === key) ? undefined : nearest(key, METADATA_KEYS);
    if (meant !== undefined)
      report(
        'warning',
        'unknown-key',
        `the key "${key}" is not known (it is kept as it is)`,
        place,
        `did you mean ${meant}?`,
      );
  }
  const get = (key: string): Tree | undefined => {
    const found = entries.get(key)?.tree;
    return found?.value === null ? undefined : found;
  };
  const text = (key: string): string | undefined => readText(get(key), key, report);
  const hyperparameters = get('hyperparameters');
  if (hyperparameters !== undefined && hyperparameters.entries === undefined) {
    report(
      'error',
      'hyperparameters-not-a-map',
      'hyperparameters should hold "name: value" lines (they are kept as they are)',
      hyperparameters,
    );
  }
  const metadata: Metadata = {
    name: text('name'),
    version: text('version'),
    description: text('description'),
    author: readAuthor(get('author'), report),
    createdDate: text('created_date'),
    trainedOnData: readData(get('trained_on_data')),
    inputFeatures: parseFeatures(get('input_features'), 'input_features', report),
    output: parseFeatures(get('output'), 'output', report),
    hyperparameters: isJsonObject(hyperparameters?.value) ? hyperparameters.value : undefined,
    environmentVariables: parseEnvironmentVariables(get('environment_variables'), report),
    raw: tree.lossless,
  };
  return { metadata, problems, places: featurePlaces(entries) };
}

function featurePlaces(entries: NonNullable<Tree['entries']>): Places {
  const places = new Map<string, { readonly line: number; readonly column: number }>();
  for (const key of ['input_features', 'output']) {
    const found = entries.get(key);
    if (found === undefined) continue;
    places.set(key, found.key);
    for (const item of found.tree.items ?? []) {
      const name = item.entries?.get('name')?.tree;
      if (name?.text !== undefined) places.set(`${key}.${name.text}`, name);
    }
  }
  return places;
}

const EMPTY: Metadata = { inputFeatures: [], output: [], environmentVariables: [], raw: {} };

/** The signature that was written down by hand; undefined when the metadata names no inputs and no outputs. */
export function metadataSignature(metadata: Metadata | undefined): Signature | undefined {
  if (metadata === undefined) return undefined;
  const { inputFeatures: inputs, output: outputs } = metadata;
  if (inputs.length === 0 && outputs.length === 0) return undefined;
  const partial = inputs.length === 0 || outputs.length === 0 || [...inputs, ...outputs].some(isVague);
  return { inputs, outputs, origin: 'metadata', ...(partial ? { partial: true } : {}) };
}

function isVague(feature: Feature): boolean {
  return feature.type === 'tensor' && feature.dtype === undefined;
}

function readText(tree: Tree | undefined, key: string, report: Report): string | undefined {
  if (tree === undefined || tree.text !== undefined) return tree?.text;
  report(
    'warning',
    'not-a-text',
    `${key} should be a text`,
    tree,
    'put it on one line, in quotes where it holds ":" or "#"',
  );
  return undefined;
}

function readAuthor(tree: Tree | undefined, report: Report): string | undefined {
  if (tree?.items !== undefined) {
    const names = tree.items.flatMap((item) => item.text ?? item.entries?.get('name')?.tree.text ?? []);
    return names.length === 0 ? undefined : names.join(', ');
  }
  return tree?.entries?.get('name')?.tree.text ?? readText(tree, 'author', report);
}

function readData(tree: Tree | undefined): string | undefined {
  if (tree?.items !== undefined) {
    const names = tree.items.flatMap((item) => item.text ?? []);
    return names.length === 0 ? undefined : names.join(', ');
  }
  return tree?.text ?? tree?.entries?.get('name')?.tree.text;
}

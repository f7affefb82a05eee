import { IngotError } from '../errors.ts';
import { someOf, withoutExtension } from './choose.ts';
import { isVersionName } from './model-name.ts';
import type { SourceFileFacts } from './place.ts';
import { readName } from './read-name.ts';

/** Names of files that make a directory a package. */
export const PACKAGE_PARTS: ReadonlySet<string> = new Set([
  'metadata.yaml',
  'metadata.yml',
  'metadata.json',
  'interface.py',
  'mlmodel',
  'saved_model.pb',
  'config.json',
  'bentoml_model.yaml',
]);

/** Names of files that hold a model by themselves. */
export const MODEL_FILE =
  /\.(?:pkl|pickle|joblib|onnx|pt|pth|h5|keras|safetensors|cbm|bst|ubj|gguf|pmml|skops|dill|cloudpickle|mar|bentomodel)$/i;

/**
 * Refuses a directory that holds versions of a model and is none itself: `v1/`, `v2/`, …, or `churn_v1.pkl`,
 * `churn_v2.pkl`, … without any of the files that make a package; also where they lie deeper and no model beside them.
 * @throws IngotError `conflict` with the pattern for the newest.
 */
export function refuseVersions(address: string, path: string, files: readonly SourceFileFacts[]): void {
  const base = path === '' ? 0 : path.length + 1;
  const names = files.map((file) => file.path.slice(base));
  const held = versionsIn(names);
  if (held === undefined) return;
  const pattern = address.replace(/\/*$/, '/') + held.pattern;
  throw new IngotError('conflict', `${address} holds versions (${someOf(held.names)}), not one model`, {
    operation: 'source',
    hint: `to have the newest: ${pattern}   to have all: ingot import ${address}`,
    nearest: pattern,
  });
}

function versionsIn(paths: readonly string[]): HeldVersions | undefined {
  const own = versionedDirectories(paths) ?? versionedFiles(paths);
  if (own !== undefined) return own;
  const isPackage = paths.some((path) => !path.includes('/') && (isPart(path) || MODEL_FILE.test(path)));
  for (const directory of isPackage ? [] : new Set(paths.flatMap((path) => /^[^/]+\//.exec(path)?.[0] ?? []))) {
    const below = paths.filter((path) => path.startsWith(directory)).map((path) => path.slice(directory.length));
    const held = below.some((path) => MODEL_FILE.test(path)) ? versionsIn(below) : undefined;
    if (held !== undefined)
      return { names: held.names.map((name) => directory + name), pattern: directory + held.pattern };
  }
  return undefined;
}

function isPart(name: string): boolean {
  return PACKAGE_PARTS.has(name.toLowerCase());
}

interface HeldVersions {
  readonly names: readonly string[];
  readonly pattern: string;
}

function versionedDirectories(paths: readonly string[]): HeldVersions | undefined {
  if (paths.some((path) => !path.includes('/'))) return undefined;
  const names = [...new Set(paths.map((path) => path.slice(0, path.indexOf('/'))))];
  return names.length > 0 && names.every(isVersionName) ? { names, pattern: '*/' } : undefined;
}

function versionedFiles(paths: readonly string[]): HeldVersions | undefined {
  const names = paths.filter((path) => !path.includes('/'));
  if (names.some(isPart)) return undefined;
  const byKind = new Map<string, string[]>();
  for (const name of names.filter((one) => MODEL_FILE.test(one))) {
    const { words, marks } = readName(withoutExtension(name));
    if (marks.length === 0) continue;
    const kind = `${words.join(' ')}${MODEL_FILE.exec(name)?.[0] ?? ''}`;
    byKind.set(kind, [...(byKind.get(kind) ?? []), name]);
  }
  const several = [...byKind.values()].find((same) => same.length > 1);
  return several && { names: several, pattern: patternOf(several) };
}

/** The pattern that matches some names: what they begin with, and how they end. */
function patternOf(names: readonly string[]): string {
  const [first = '', ...others] = names;
  let length = 0;
  while (length < first.length && others.every((name) => name[length] === first[length])) length += 1;
  const start = first.slice(0, length).replace(/[\d.]+$/, '');
  return `${start}*${MODEL_FILE.exec(first)?.[0] ?? ''}`;
}

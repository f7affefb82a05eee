import { type ModelName, toModelName } from '../ref.ts';
import { isIngotError } from '../errors.ts';
import { readName } from './read-name.ts';

/** Directories that hold models, and say nothing of which. */
const CONTAINERS: ReadonlySet<string> = new Set([
  'model',
  'models',
  'versions',
  'version',
  'artifact',
  'artifacts',
  'releases',
  'release',
  'saved_models',
  'saved_model',
  'checkpoints',
  'checkpoint',
  'exports',
  'export',
  'outputs',
  'output',
  'latest',
  'current',
  'newest',
  'production',
  'prod',
  'staging',
  'champion',
  'archive',
  'registry',
  'trained_models',
  'bundle',
  'pickles',
  'files',
  'data',
  'ml',
]);

/** Directories of the system, above which no model has its name. */
const SYSTEM: ReadonlySet<string> = new Set([
  'srv',
  'mnt',
  'data',
  'home',
  'var',
  'opt',
  'tmp',
  'usr',
  'root',
  'media',
  'volumes',
  'users',
  'nfs',
  'share',
  'shared',
]);

/** Words that every file of a model may be called by. */
const GENERIC: ReadonlySet<string> = new Set([
  'model',
  'models',
  'pipeline',
  'estimator',
  'clf',
  'classifier',
  'regressor',
  'predictor',
  'weights',
  'checkpoint',
  'artifact',
  'saved',
  'pytorch',
  'tf',
  'sklearn',
  'xgboost',
  'lightgbm',
  'onnx',
  'export',
  'bundle',
  'data',
  'ckpt',
  'epoch',
  'step',
  'latest',
  'current',
  'newest',
  'best',
  'last',
  'production',
  'prod',
  'staging',
  'champion',
]);

/** Says whether a directory only holds models: `models`, `versions`, `production`. */
export function isContainer(name: string): boolean {
  return CONTAINERS.has(name.toLowerCase().replace(/[-\s]+/g, '_'));
}

/** Says whether a name holds nothing but versions, dates and ids. */
export function isVersionName(name: string): boolean {
  const { words, marks } = readName(name);
  return words.length === 0 && marks.length > 0;
}

/** Says whether a name has words that tell one model from another. */
export function isTelling(name: string): boolean {
  return readName(name).words.some((word) => !GENERIC.has(word));
}

/**
 * Finds a model's name in the names of directories and file that lead to it, the outermost first: the innermost that
 * tells something. Versions, dates, `models/` and the like are passed over; `model` when nothing is left.
 * @example
 * modelNameFrom(['acme', 'models', 'sentiment_model_v1.2']); // 'sentiment-model'
 */
export function modelNameFrom(names: readonly string[]): ModelName {
  for (const name of [...names].reverse()) {
    if (SYSTEM.has(name.toLowerCase())) break;
    if (isContainer(name) || !isTelling(name)) continue;
    const found = nameOf(name);
    if (found !== undefined) return found;
  }
  const last = names.map(nameOf).findLast((name) => name !== undefined && !isContainer(name));
  return last !== undefined && !SYSTEM.has(last) ? last : toModelName('model');
}

/** `Sentiment_Model_v1.2` as a model name: `sentiment-model`. Undefined when nothing usable is left. */
export function nameOf(name: string): ModelName | undefined {
  const { words } = readName(name);
  if (words.length === 0) return undefined;
  try {
    return toModelName(words.join('-'));
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) return undefined;
    throw error;
  }
}

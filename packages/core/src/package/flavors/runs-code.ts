import { posix } from 'node:path';
import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { isFlavor, type Flavor } from '../package.ts';
import type { SourceFile } from '../source-file.ts';

/** What loads a package, and what its `flavor.json` (or a part of it) says besides. */
export interface LoadedBy {
  readonly flavor: Flavor;
  readonly description: JsonObject;
  /** File or folder of the package; `.` or undefined for the package itself. */
  readonly artifact?: string;
  readonly files: readonly SourceFile[];
}

/**
 * Says whether a flavor's loader would run code of the package: by what the loader does with what the description
 * names, never by what the description says of itself. False for loaders that read data alone.
 */
export function runsCode(loaded: LoadedBy): boolean {
  return RULES[loaded.flavor](loaded);
}

const always = (): boolean => true;
const never = (): boolean => false;

const RULES: Readonly<Record<Flavor, (loaded: LoadedBy) => boolean>> = {
  python: always,
  function: always,
  object: always,
  plugin: always,
  mlflow: always,
  // These unpickle, whatever the file is called.
  fastai: always,
  gensim: always,
  shap: always,
  statsmodels: always,
  // Operations of a graph read and write files when they are asked (ReadFile, WriteFile, Save).
  tensorflow: always,
  sklearn: ({ artifact }) => artifact?.endsWith('.skops') !== true,
  onnx: never,
  xgboost: never,
  lightgbm: never,
  catboost: never,
  prophet: never,
  annoy: never,
  spacy: ({ description }) => isGiven(description.imports),
  keras: ({ description, artifact }) =>
    description.safe_mode === false || isGiven(description.custom) || /\.(?:h5|hdf5)$/i.test(artifact ?? ''),
  torch: torchRuns,
  transformers: holdsPickledWeights,
  'sentence-transformers': holdsPickledWeights,
  peft: holdsPickledWeights,
  diffusers: holdsPickledWeights,
  models: partsRun,
  // Nothing loads it.
  file: never,
};

/** A name of a module, a list or a map of them: anything but nothing. */
function isGiven(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** Safetensors are data, and so is the tree beside them unless it comes with source. Everything else may be a pickle. */
function torchRuns({ description, artifact }: LoadedBy): boolean {
  return isGiven(description.source) || artifact?.endsWith('.safetensors') !== true;
}

const PICKLED = /\.(?:bin|pt|pth|ckpt|pkl|pickle|msgpack|h5)$/i;
const WEIGHTS = /^(?:.*_)?(?:model|weights)[^/]*\.(?:bin|pt|pth|ckpt|pkl|pickle|h5|msgpack)$/i;

/** Whether a folder of weights holds some as a pickle that do not lie beside it as safetensors, too. */
export function holdsPickledWeights({ artifact, files }: Pick<LoadedBy, 'artifact' | 'files'>): boolean {
  const inside = artifact === undefined || artifact === '.' ? '' : `${artifact}/`;
  const paths = files.map(({ path }) => path).filter((path) => path === artifact || path.startsWith(inside));
  const safe = new Set(paths.filter((path) => /\.safetensors$/i.test(path)).map((path) => posix.dirname(path)));
  return paths.some((path) => {
    const isWeights = WEIGHTS.test(posix.basename(path)) || (PICKLED.test(path) && path === artifact);
    return isWeights && !safe.has(posix.dirname(path));
  });
}

function partsRun({ description, files }: LoadedBy): boolean {
  const parts = Array.isArray(description.parts) ? description.parts : [];
  return parts.some((part: JsonValue) => isJsonObject(part) && !('value' in part) && partRuns(part, files));
}

function partRuns(part: JsonObject, files: readonly SourceFile[]): boolean {
  const { flavor, directory, artifact } = part;
  // What cannot be told apart here is not called harmless.
  if (typeof flavor !== 'string' || !isFlavor(flavor) || flavor === 'models') return true;
  const prefix = typeof directory === 'string' && directory !== '' ? `${posix.normalize(directory)}/` : '';
  const own = files
    .filter(({ path }) => path.startsWith(prefix))
    .map((file) => ({ ...file, path: file.path.slice(prefix.length) }));
  return runsCode({
    flavor,
    description: part,
    files: own,
    ...(typeof artifact === 'string' ? { artifact } : {}),
  });
}

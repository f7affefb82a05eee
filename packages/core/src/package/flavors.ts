import { open } from 'node:fs/promises';
import { gunzipSync, inflateSync } from 'node:zlib';
import type { Capture } from '../capture.ts';
import { roleOf } from './layers.ts';
import { type Flavor, type Inference, isFlavor, type Metadata, type Problem } from './package.ts';
import type { Parts } from './parts.ts';
import { type PickleSummary, readPickle } from './pickle-globals.ts';
import type { SourceFile } from './source-file.ts';

/** What kind of package it is, found without executing anything. */
export interface FlavorFinding {
  readonly flavor: Flavor;
  /** Path of the main artifact: a file, or the top folder it lies in. */
  readonly artifactPath?: string;
  /** The file to look into for a signature, when the artifact is a file. */
  readonly artifact?: SourceFile;
  /** What pickles at hand say of themselves, the main artifact's first. */
  readonly pickles: readonly { readonly path: string; readonly summary: PickleSummary }[];
  readonly executesCode: boolean;
  readonly inferred: readonly Inference[];
  readonly problems: readonly Problem[];
}

const PICKLE = /\.(?:pkl|pickle|joblib|sav|dill|cloudpickle)$/i;
const EXECUTES = /\.(?:pkl|pickle|joblib|sav|dill|cloudpickle|pt|pth|ckpt|npy)$/i;
const WEIGHTS = [
  '.onnx',
  '.pkl',
  '.pickle',
  '.joblib',
  '.skops',
  '.safetensors',
  '.ubj',
  '.cbm',
  '.keras',
  '.h5',
  '.pt',
  '.pth',
  '.gguf',
  '.model',
  '.bin',
];
const SKLEARN_LIKE = /^(?:sklearn\.|imblearn\.|xgboost\.sklearn$|lightgbm\.sklearn$)/;
/** Names the function that a package of the flavor `function` holds. */
const FUNCTION_FILE = 'function.json';
const SNIFF_BYTES = 4 * 1024 * 1024;
const MAX_PICKLES = 8;

/** Finds flavor and main artifact from names, an interface file, what was captured, and the first bytes of pickles. */
export async function findFlavor(
  files: readonly SourceFile[],
  parts: Parts,
  metadata: Metadata | undefined,
  captured: Capture | undefined,
): Promise<FlavorFinding> {
  const artifacts = rankArtifacts(files, parts);
  const main = artifacts[0];
  const pickles = await sniffPickles(artifacts);
  const found = decide(files, artifacts, parts, metadata, captured, pickles);
  const artifact = found.artifact ?? main;
  const executesCode =
    found.flavor !== 'onnx' &&
    (parts.interface !== undefined ||
      parts.setup !== undefined ||
      found.flavor === 'function' ||
      pickles.length > 0 ||
      artifacts.some(({ path }) => EXECUTES.test(path)) ||
      captured?.serializer?.executesCode === true);
  return {
    flavor: found.flavor,
    ...(artifact === undefined
      ? {}
      : { artifact, artifactPath: found.artifact === undefined ? folderOf(artifact.path, artifacts) : artifact.path }),
    pickles,
    executesCode,
    inferred: found.from === undefined ? [] : inferences(found.flavor, found.from),
    problems: [
      ...warnAboutClasses(pickles, found.flavor),
      ...warnUnservable(found.flavor, artifact, pickles),
      ...warnAboutArtifact(found.flavor, artifact),
    ],
  };
}

function inferences(flavor: Flavor, from: string): Inference[] {
  const found = { what: 'flavor', value: flavor, from };
  if (flavor === 'file') return [found];
  return [found, { what: 'interface', value: `built in for ${flavor}`, from: 'there is no interface.py' }];
}

interface Decision {
  readonly flavor: Flavor;
  readonly artifact?: SourceFile;
  readonly from?: string;
}

function decide(
  files: readonly SourceFile[],
  artifacts: readonly SourceFile[],
  parts: Parts,
  metadata: Metadata | undefined,
  captured: Capture | undefined,
  pickles: FlavorFinding['pickles'],
): Decision {
  const byPath = (path: string | undefined): SourceFile | undefined => artifacts.find((file) => file.path === path);
  if (parts.interface !== undefined) return { flavor: 'python' };
  if (isFlavor(captured?.flavor) && captured.flavor !== 'python')
    return { flavor: captured.flavor, artifact: artifacts[0], from: 'what was captured' };
  if (files.some(({ path }) => path === FUNCTION_FILE)) {
    return {
      flavor: 'function',
      artifact: byPath(artifacts.find(({ path }) => PICKLE.test(path))?.path),
      from: `the file ${FUNCTION_FILE}`,
    };
  }
  const graphs = artifacts.filter(({ path }) => /\.onnx$/i.test(path));
  const graph =
    graphs.find(({ path }) => /(?:^|\/)model\.onnx$/i.test(path)) ?? (graphs.length === 1 ? graphs[0] : undefined);
  if (graph !== undefined) return { flavor: 'onnx', artifact: graph, from: `the ONNX file ${graph.path}` };
  const declared = metadata?.raw.flavor ?? metadata?.raw.framework;
  const pickle = byPath(artifacts.find(({ path }) => PICKLE.test(path))?.path);
  if (typeof declared === 'string' && /^(?:sklearn|scikit-learn)$/i.test(declared) && pickle !== undefined) {
    return { flavor: 'sklearn', artifact: pickle, from: 'the metadata' };
  }
  const estimator = pickles.find(({ summary }) => SKLEARN_LIKE.test(summary.root?.module ?? ''));
  if (estimator !== undefined) {
    return {
      flavor: 'sklearn',
      artifact: byPath(estimator.path),
      from: `the class ${nameOf(estimator.summary)} that ${estimator.path} names`,
    };
  }
  return { flavor: 'file', from: 'no interface.py and no artifact that is known' };
}

/** Artifacts first by extension, then those called `model`, then the larger, then by path. Parts and papers are none. */
function rankArtifacts(files: readonly SourceFile[], parts: Parts): SourceFile[] {
  const known = new Set(Object.values(parts).map((file: SourceFile | undefined) => file?.path));
  const candidates = files.filter(
    ({ path }) =>
      !known.has(path) && path !== FUNCTION_FILE && !['code', 'doc', 'dataset'].includes(roleOf(path, undefined)),
  );
  const rank = ({ path }: SourceFile): number => {
    const extension = WEIGHTS.findIndex((suffix) => path.toLowerCase().endsWith(suffix));
    const configuration = roleOf(path, undefined) === 'weight.config' ? 1000 : 0;
    return configuration + (path.includes('/') ? 100 : 0) + (extension < 0 ? WEIGHTS.length : extension);
  };
  const named = ({ path }: SourceFile): number => (/(?:^|\/)model\.[^/]*$/i.test(path) ? 0 : 1);
  return candidates.sort(
    (a, b) => rank(a) - rank(b) || named(a) - named(b) || b.sizeBytes - a.sizeBytes || (a.path < b.path ? -1 : 1),
  );
}

/** A file at the root is the artifact itself; else the top folder stands in its place, unless it holds only that file. */
function folderOf(path: string, artifacts: readonly SourceFile[]): string {
  const slash = path.indexOf('/');
  if (slash < 0) return path;
  const top = path.slice(0, slash);
  return artifacts.filter((file) => file.path.startsWith(`${top}/`)).length > 1 ? top : path;
}

async function sniffPickles(artifacts: readonly SourceFile[]): Promise<FlavorFinding['pickles']> {
  const found: { path: string; summary: PickleSummary }[] = [];
  for (const file of artifacts.filter(({ path }) => PICKLE.test(path)).slice(0, MAX_PICKLES)) {
    const summary = readPickle(inflateStart(await readStart(file)));
    if (summary !== undefined) found.push({ path: file.path, summary });
  }
  return found;
}

async function readStart(file: SourceFile): Promise<Buffer> {
  const handle = await open(file.absolute, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(SNIFF_BYTES, file.sizeBytes));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** joblib compresses with zlib or gzip; what fits into 4 MiB of output is enough. */
function inflateStart(bytes: Buffer): Uint8Array {
  const inflate = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync : bytes[0] === 0x78 ? inflateSync : undefined;
  if (inflate === undefined) return bytes;
  try {
    return inflate(bytes, { maxOutputLength: 16 * SNIFF_BYTES, finishFlush: 2 });
  } catch {
    // Not what it seemed, or larger than we look into: then nothing is known of it, which is never an error.
    return new Uint8Array();
  }
}

function nameOf({ root }: PickleSummary): string {
  return root === undefined ? 'of the object' : `${root.module}.${root.name}`;
}

function warnAboutClasses(pickles: FlavorFinding['pickles'], flavor: Flavor): Problem[] {
  if (flavor === 'function') return [];
  return pickles.flatMap(({ path, summary }): Problem[] => {
    const own = summary.globals.filter(({ module }) => module === '__main__').map(({ name }) => name);
    if (own.length === 0) return [];
    return [
      {
        severity: 'warning',
        rule: 'pickle.main-class',
        message: `${path} needs ${own.join(', ')} from the notebook or script it was made in (__main__)`,
        file: path,
        fix: 'define it in a .py file of the package, import it from there, and pickle again',
      },
    ];
  });
}

function warnUnservable(
  flavor: Flavor,
  artifact: SourceFile | undefined,
  pickles: FlavorFinding['pickles'],
): Problem[] {
  if (flavor !== 'file') return [];
  const summary = pickles.find(({ path }) => path === artifact?.path)?.summary;
  const what = summary?.root === undefined ? '' : ` (${artifact?.path} holds ${nameOf(summary)})`;
  return [
    {
      severity: 'warning',
      rule: 'package.not-servable',
      message: `nothing says how to load this model, so it can be stored but not served${what}`,
      fix: 'ingot init PATH writes an interface.py to fill in',
    },
  ];
}

function warnAboutArtifact(flavor: Flavor, artifact: SourceFile | undefined): Problem[] {
  if (artifact === undefined && flavor === 'python') {
    return [
      {
        severity: 'warning',
        rule: 'package.no-artifact',
        message: 'the package holds code only: no file in it looks like a trained model',
        fix: 'put the file that interface.py loads beside it, or ignore this when the code is the model',
      },
    ];
  }
  if (artifact === undefined || artifact.sizeBytes > 0) return [];
  return [
    {
      severity: 'warning',
      rule: 'package.empty-artifact',
      message: `${artifact.path} is empty (0 bytes)`,
      file: artifact.path,
      fix: 'save the model again, and close the file before pushing it',
    },
  ];
}

/**
 * A *package* is a directory (or a single file) with a model's four parts: artifacts, environment, interface, metadata.
 * Reading one gives a *plan*: every file with its digest, what was declared, what was inferred, what is wrong.
 */

import type { Digest } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import type { ModelName } from '../ref.ts';
import type { EnvironmentVariable, ServablePackage } from '../serving/runtime.ts';
import type { Feature, Signature } from '../signature.ts';

/**
 * The flavors. `python` has an interface.py, `plugin` is loaded by an installed distribution of somebody else, `models`
 * are several in one package, `object` is any object with methods, `file` cannot be loaded.
 */
export const FLAVORS = [
  'python',
  'function',
  'sklearn',
  'onnx',
  'xgboost',
  'lightgbm',
  'catboost',
  'statsmodels',
  'prophet',
  'gensim',
  'annoy',
  'spacy',
  'shap',
  'torch',
  'fastai',
  'keras',
  'tensorflow',
  'transformers',
  'sentence-transformers',
  'peft',
  'diffusers',
  'mlflow',
  'object',
  'models',
  'plugin',
  'file',
] as const;

/** What kind of package it is; decides which runtime serves it, and there which loader. */
export type Flavor = (typeof FLAVORS)[number];

/** `metadata.yaml`, typed. Unknown keys stay in `raw`. */
export interface Metadata {
  readonly name?: string;
  /** The source text: `1.0`, `1.10`. */
  readonly version?: string;
  readonly description?: string;
  readonly author?: string;
  readonly createdDate?: string;
  readonly trainedOnData?: string;
  readonly inputFeatures: readonly Feature[];
  readonly output: readonly Feature[];
  readonly hyperparameters?: JsonObject;
  readonly environmentVariables: readonly EnvironmentVariable[];
  /** Everything, losslessly: all keys as JSON, with scalars whose parsed form would lose their text kept as text. */
  readonly raw: JsonObject;
}

/** Says whether a text names a flavor. */
export function isFlavor(text: string | undefined): text is Flavor {
  return FLAVORS.some((flavor) => flavor === text);
}

/** Something wrong with a package, or worth knowing. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** Stable, for programs: `metadata.yaml-syntax`, `interface.no-load-model`. */
  readonly rule: string;
  readonly message: string;
  /** Path in the package. */
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  readonly column?: number;
  /** What to do about it. */
  readonly fix?: string;
}

/** Something nobody wrote down, and how it was found out. */
export interface Inference {
  /** `name`, `flavor`, `signature`, `requirements`, `interface`, `label`. */
  readonly what: string;
  readonly value: string;
  /** `from the ONNX graph`, `from the file name`. */
  readonly from: string;
}

/** A file of a package. */
export interface PackageFile {
  /** POSIX, relative, normalised. */
  readonly path: string;
  readonly sizeBytes: number;
  /** 0o644 or 0o755. */
  readonly mode: number;
  /** SHA-256 of the file. */
  readonly digest: Digest;
  open(): AsyncIterable<Uint8Array>;
}

/** A package as it was read: what a push would store. */
export interface PackagePlan {
  /** From `--name`, else from the metadata, else from the file or directory name. */
  readonly name: ModelName;
  /** The display name when it had to be changed: `Example Model`. */
  readonly displayName?: string;
  readonly label?: string;
  readonly labelFrom?: 'flag' | 'metadata';
  readonly flavor: Flavor;
  readonly files: readonly PackageFile[];
  readonly sizeBytes: number;
  readonly metadata?: Metadata;
  readonly signature?: Signature;
  readonly requirements: readonly string[];
  /** `3.11` or `3.11.7`, from the metadata, `.python-version` or what was captured. */
  readonly pythonVersion?: string;
  /** Path of the interface file, when there is one. */
  readonly interfacePath?: string;
  /** Path of the main artifact: a file, or the folder that stands in its place. */
  readonly artifactPath?: string;
  /** `setup.sh` or `setup.py`, when there is one. */
  readonly setupPath?: string;
  readonly environmentVariables: readonly EnvironmentVariable[];
  readonly inferred: readonly Inference[];
  /** Warnings only; an error stops reading. */
  readonly problems: readonly Problem[];
  /** Whether loading it executes code it carries (pickle, interface.py). */
  readonly executesCode: boolean;
  readonly manifest: Uint8Array;
  readonly manifestDigest: Digest;
  readonly config: Uint8Array;
  readonly configDigest: Digest;
}

/** A stored package, as its manifest describes it. */
export interface PackageDescription extends Omit<ServablePackage, 'directory' | 'example' | 'lock'> {
  readonly flavor: Flavor;
  readonly files: readonly Omit<PackageFile, 'open'>[];
  readonly metadata?: Metadata;
  readonly executesCode: boolean;
  readonly inferred: readonly Inference[];
}

/**
 * A *runtime* can load a package; a *predictor* is one loaded version that answers. A *model source* finds versions and
 * brings their files to a local directory. The model server knows only these interfaces.
 */

import type { Digest } from '../digest.ts';
import type { JsonValue } from '../json.ts';
import type { OnProgress } from '../progress.ts';
import type { Row, Signature } from '../signature.ts';
import type { Tensor } from './tensor.ts';

/** A variable that a package wants to find in its environment. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly description?: string;
  readonly default?: string;
}

/** Wheels in a directory of their own; disposing removes it. */
export interface WheelDirectory extends AsyncDisposable {
  readonly path: string;
}

/** A package whose files lie in a local directory, verified. */
export interface ServablePackage {
  readonly directory: string;
  readonly manifest: Digest;
  /** `python` (interface.py), `sklearn`, `xgboost`, …, `onnx`, or `file` (cannot be served). */
  readonly flavor: string;
  /** For `python`: path of the interface file in the package. */
  readonly interfacePath?: string;
  /** Path of the main artifact in the package. */
  readonly artifactPath?: string;
  readonly signature?: Signature;
  /** Lines of requirements.txt, or the captured ones. */
  readonly requirements: readonly string[];
  /** The requirements with all that they need in turn, as recorded where the model was made. */
  readonly lock?: {
    /** Pins, one a distribution, with hashes where they were at hand. */
    readonly lines: readonly string[];
    readonly python?: string;
    readonly platform?: string;
  };
  /** `3.11` or `3.11.7` when known. */
  readonly pythonVersion?: string;
  /** `setup.sh` or `setup.py` in the package, run only when the operator allows it. */
  readonly setupPath?: string;
  /**
   * Brings the wheels here that came with the version, to make its environment without an index; undefined when none did,
   * or they cannot be had now. Asked only when an environment has to be made.
   */
  readonly wheels?: (options: { readonly signal?: AbortSignal | undefined }) => Promise<WheelDirectory | undefined>;
  readonly environmentVariables: readonly EnvironmentVariable[];
  /** Sample rows for warming up and for documentation. */
  readonly example?: { readonly inputs: readonly Row[]; readonly predictions?: readonly JsonValue[] };
  readonly description?: string;
}

/** Which version a source names now. */
export interface ResolvedModel {
  /** The source as it was given: `churn@production`. */
  readonly source: string;
  /** The model's name without version or alias: what the server answers to. */
  readonly model: string;
  readonly modelId: string;
  /** 0 where the source has no version numbers. */
  readonly number: number;
  /** What the version is called, where that is not its number: `1.2` or `2024-01-31` of a plain file. Default: the number. */
  readonly version?: string;
  readonly label?: string;
  readonly digest: Digest;
  /** ISO 8601 time since when the store has not answered, when this is the last known answer. */
  readonly staleSince?: string;
}

/** Finds versions and brings their files here. Implemented over a registry by the command line. */
export interface ModelSource {
  /** Says which version `source` names now; falls back to what was last known when the store does not answer. */
  resolve(source: string, options?: { readonly signal?: AbortSignal }): Promise<ResolvedModel>;
  /** Brings the version's files to a local directory (from the cache when they are there), verified. */
  fetch(
    model: ResolvedModel,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
  ): Promise<ServablePackage>;
}

/** One prediction request, already checked against the signature. */
export interface PredictRequest {
  /**
   * For a tabular signature: one `[rows]` tensor a feature, in the signature's order. Else the tensors the model declares.
   */
  readonly inputs: readonly Tensor[];
  /** Another method of the model than `predict`, for example `predict_proba`. */
  readonly method?: string;
}

/** What a model answered. */
export interface PredictResult {
  readonly outputs: readonly Tensor[];
  /** How long the request waited for a free worker, where the runtime knows; in milliseconds. */
  readonly queuedMs?: number;
}

/** One loaded version that answers. */
export interface Predictor extends AsyncDisposable {
  /** The signature as known after loading (an ONNX graph or an estimator may add to what the package says). */
  readonly signature: Signature | undefined;
  /** V2 `platform`: `onnx_onnxruntime`, `python_sklearn`. */
  readonly platform: string;
  /** Memory it holds, in bytes, where known. */
  readonly memoryBytes?: () => number;
  /**
   * Answers a request. Aborting the signal gives up waiting.
   * @throws IngotError `model-failed` (the user's code raised or died), `timeout`, `signature-mismatch`, `overloaded`, `interrupted`.
   */
  predict(request: PredictRequest, options?: { readonly signal?: AbortSignal }): Promise<PredictResult>;
}

/** Loads packages of some flavors. */
export interface Runtime {
  readonly name: string;
  supports(flavor: string): boolean;
  /** Throws `environment-mismatch`, `environment-failed`, `model-failed`, `invalid-package`, `refused`. */
  load(
    model: ServablePackage,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
  ): Promise<Predictor>;
}

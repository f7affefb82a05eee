/**
 * What `http/` sees of the loaded models. A *lease* is a request's hold on a loaded version, so that it is not unloaded
 * under the request. Implemented by `slots/`; the hot path is a map look-up.
 */

import type { Predictor, ServablePackage } from '@ingot/core/serving/runtime';
import type { Signature } from '@ingot/core/signature';

/** States of the Open Inference Protocol's repository index. */
export type SlotState = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';

/** A version that the server has, or should have, loaded. */
export interface ServedVersion {
  readonly model: string;
  /** The version number as text, as V2 wants it: `7`. */
  readonly version: string;
  readonly label?: string;
  readonly digest: string;
  /** Sources that name it now: `churn@production`. */
  readonly sources: readonly string[];
  readonly state: SlotState;
  /** Why it is not ready, for people. */
  readonly reason?: string;
  readonly platform: string;
  readonly flavor: string;
  readonly signature?: Signature;
  readonly example?: ServablePackage['example'];
  readonly description?: string;
  /** ISO 8601; when it became ready. */
  readonly loadedAt?: string;
  /** Set while the store does not answer. */
  readonly staleSince?: string;
}

/** A request's hold on a loaded version; release it in a `finally` (or `using`). */
export interface Lease extends Disposable {
  readonly served: ServedVersion;
  readonly predictor: Predictor;
}

/** The loaded models, as the HTTP side uses them. */
export interface ModelHost {
  /** True when every configured model has been ready once (V2 readiness). */
  ready(): boolean;
  /** All versions, loaded or not, by model then version. */
  index(): readonly ServedVersion[];
  /** Names that answer, in the order of configuration. */
  models(): readonly string[];
  /**
   * Takes a lease on a loaded version; synchronous when it is loaded, a promise when it must be loaded on demand.
   * Without `version`: the model's default (the first configured source of that name).
   * @throws IngotError `model-not-found`, `version-not-found` (with what is served), `model-not-ready`.
   */
  lease(model: string, version?: string, options?: { readonly signal?: AbortSignal }): Lease | Promise<Lease>;
  /** Repository control: (re)loads a model that was configured, or unloads it. */
  load(model: string, options?: { readonly signal?: AbortSignal }): Promise<void>;
  unload(model: string): Promise<void>;
}

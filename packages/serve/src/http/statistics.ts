import type { ServedVersion } from '../model-host.ts';

/** A count and the nanoseconds spent on it, as the protocol's statistics extension has them. */
export interface Duration {
  count: number;
  ns: number;
}

/** What predictions of one version took. */
export interface VersionStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970; 0 when there was none. */
  lastInferenceMs: number;
  /** Rows, or batch entries, that were answered. */
  inferenceCount: number;
  /** Requests that were answered. */
  executionCount: number;
  readonly success: Duration;
  readonly fail: Duration;
  readonly queue: Duration;
  readonly computeInput: Duration;
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
}

/** Moments of one prediction, in milliseconds of the monotonic clock. */
export interface PredictionTimes {
  readonly startedAt: number;
  readonly decodedAt: number;
  readonly predictedAt: number;
  readonly encodedAt: number;
  /** Of the time between decoding and prediction: waiting for a free worker. */
  readonly queuedMs?: number;
}

/** Keeps the statistics of all versions that ever answered. */
export class Statistics {
  readonly #versions = new Map<string, VersionStatistics>();

  /** The statistics of a version, zero when it has not answered yet. */
  of({ model, version }: Pick<ServedVersion, 'model' | 'version'>): VersionStatistics {
    const key = `${model} ${version}`;
    const known = this.#versions.get(key);
    if (known !== undefined) return known;
    const fresh = emptyStatistics(model, version);
    this.#versions.set(key, fresh);
    return fresh;
  }

  /** Counts an answered prediction of `rows` rows. */
  succeeded(served: ServedVersion, rows: number, nowMs: number, times: PredictionTimes): void {
    const statistics = this.of(served);
    statistics.lastInferenceMs = nowMs;
    statistics.inferenceCount += rows;
    statistics.executionCount += 1;
    add(statistics.success, times.encodedAt - times.startedAt);
    add(statistics.computeInput, times.decodedAt - times.startedAt);
    const queuedMs = times.queuedMs ?? 0;
    add(statistics.queue, queuedMs);
    add(statistics.computeInfer, Math.max(0, times.predictedAt - times.decodedAt - queuedMs));
    add(statistics.computeOutput, times.encodedAt - times.predictedAt);
  }

  /** Counts a prediction that ended in an error. */
  failed(served: ServedVersion, milliseconds: number): void {
    add(this.of(served).fail, milliseconds);
  }
}

function add(duration: Duration, milliseconds: number): void {
  duration.count += 1;
  duration.ns += Math.round(milliseconds * 1e6);
}

function emptyStatistics(name: string, version: string): VersionStatistics {
  const zero = (): Duration => ({ count: 0, ns: 0 });
  return {
    name,
    version,
    lastInferenceMs: 0,
    inferenceCount: 0,
    executionCount: 0,
    success: zero(),
    fail: zero(),
    queue: zero(),
    computeInput: zero(),
    computeInfer: zero(),
    computeOutput: zero(),
  };
}

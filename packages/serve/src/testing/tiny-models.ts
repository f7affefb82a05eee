import { IngotError } from '@ingot/core/errors';
import { type Digest, digestOf } from '@ingot/core/digest';
import type { ModelSource, Predictor, ResolvedModel, Runtime, ServablePackage } from '@ingot/core/serving/runtime';

/** A model source and a runtime in memory, whose stores, models and loads a test steers. */
export class TinyModels implements ModelSource {
  /** What each source names: `churn@production` → 7. An error is thrown. */
  readonly names = new Map<string, number | IngotError>();
  /** Versions that cannot be loaded, and why. */
  readonly broken = new Map<number, IngotError>();
  /** Versions whose load waits until the test lets it go. */
  readonly gates = new Map<number, Promise<void>>();
  readonly loaded: number[] = [];
  readonly disposed: number[] = [];
  readonly answered: number[] = [];
  memoryBytes = 100;
  staleSince: string | undefined;

  constructor(names: Readonly<Record<string, number>>) {
    for (const [name, number] of Object.entries(names)) this.names.set(name, number);
  }

  async resolve(source: string): Promise<ResolvedModel> {
    const number = this.names.get(source);
    if (number === undefined) throw new IngotError('model-not-found', `no ${source}`);
    if (typeof number !== 'number') throw number;
    const model = source.split(/[@:]/)[0] ?? source;
    const stale = this.staleSince === undefined ? {} : { staleSince: this.staleSince };
    return {
      source,
      model,
      modelId: `id-${model}`,
      number,
      label: `1.${number}`,
      digest: digestOfVersion(number),
      ...stale,
    };
  }

  async fetch({ number }: ResolvedModel): Promise<ServablePackage> {
    return {
      directory: String(number),
      manifest: digestOfVersion(number),
      flavor: 'tiny',
      requirements: [],
      environmentVariables: [],
      signature: {
        inputs: [{ name: 'x', type: 'float' }],
        outputs: [{ name: 'y', type: 'float' }],
        origin: 'metadata',
      },
    };
  }

  /** Loads what `fetch` gave; the answer is the version number. */
  runtime(): Runtime {
    return {
      name: 'tiny',
      supports: (flavor) => flavor === 'tiny',
      load: async (model, { signal } = {}) => this.#load(Number(model.directory), signal),
    };
  }

  async #load(number: number, signal: AbortSignal | undefined): Promise<Predictor> {
    await Promise.race([this.gates.get(number), aborted(signal)]);
    if (signal?.aborted) throw new IngotError('interrupted', 'gave up');
    const problem = this.broken.get(number);
    if (problem !== undefined) throw problem;
    this.loaded.push(number);
    return {
      signature: undefined,
      platform: 'tiny',
      memoryBytes: () => this.memoryBytes,
      predict: async () => {
        this.answered.push(number);
        return { outputs: [{ name: 'y', datatype: 'FP64', shape: [1], data: new Float64Array([number]) }] };
      },
      [Symbol.asyncDispose]: async () => {
        this.disposed.push(number);
      },
    };
  }
}

function digestOfVersion(number: number): Digest {
  return digestOf(`version ${number}`);
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => signal?.addEventListener('abort', () => resolve()));
}

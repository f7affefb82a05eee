import { IngotError } from '@ingot/core/errors';
import type { OnProgress } from '@ingot/core/progress';
import type { ModelSource, Predictor, Runtime, ServablePackage } from '@ingot/core/serving/runtime';
import type { Log } from '../log.ts';
import { sampleRequest } from './sample.ts';
import type { LoadVersion } from './slot.ts';
import { versionOf } from './slot-errors.ts';

/** What loading a version takes. */
export interface LoadSettings {
  readonly source: ModelSource;
  readonly runtimes: readonly Runtime[];
  readonly onProgress?: OnProgress;
  readonly log: Log;
}

/** Fetches a version's files, loads them with the runtime of their flavor, and has it answer once before it counts. */
export function versionLoader({ source, runtimes, onProgress, log }: LoadSettings): LoadVersion {
  return async (resolved, signal) => {
    const options = { signal, ...(onProgress && { onProgress }) };
    const model = await source.fetch(resolved, options);
    const predictor = await runtimeFor(model, runtimes).load(model, options);
    try {
      await warm(model, predictor, signal, (problem) =>
        log(
          'warn',
          `${resolved.model}:${versionOf(resolved)} did not answer a made-up row while warming up: ${problem}`,
        ),
      );
      return { model, predictor };
    } catch (error) {
      await predictor[Symbol.asyncDispose]();
      throw error;
    }
  };
}

function runtimeFor(model: ServablePackage, runtimes: readonly Runtime[]): Runtime {
  const runtime = runtimes.find((candidate) => candidate.supports(model.flavor));
  if (runtime !== undefined) return runtime;
  throw new IngotError('invalid-package', `a package of flavor "${model.flavor}" cannot be served`, {
    hint: 'add an interface.py with load_model(), for example with: ingot init PATH',
    details: { flavor: model.flavor },
  });
}

/** A package's own example must be answered; a made-up row may be refused, since nobody promised it makes sense. */
async function warm(
  model: ServablePackage,
  predictor: Predictor,
  signal: AbortSignal,
  onRefused: (problem: string) => void,
): Promise<void> {
  const request = sampleRequest(predictor.signature ?? model.signature, model.example);
  if (request === undefined) return;
  try {
    await predictor.predict(request, { signal });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    if (signal.aborted) throw new IngotError('interrupted', 'loading was interrupted', { cause: error });
    if (model.example === undefined || model.example.inputs.length === 0) return onRefused(said);
    throw new IngotError('model-failed', `it did not answer its own example row: ${said}`, { cause: error });
  }
}

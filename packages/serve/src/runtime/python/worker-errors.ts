import { IngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';

/** Why a worker did not load: what it said itself, or how its process ended and what was printed before. */
export type LoadOutcome =
  | { readonly header: JsonObject }
  | { readonly exit: string; readonly lines: readonly string[] };

/** Makes the operator's error of a package that did not load. */
export function loadFailure(outcome: LoadOutcome): IngotError {
  if ('exit' in outcome) return diedLoading(outcome.exit, outcome.lines);
  const { code, message, missingModule } = outcome.header;
  const said = typeof message === 'string' ? message : 'no reason given';
  if (typeof missingModule === 'string') {
    return new IngotError('environment-mismatch', `the package needs the Python module "${missingModule}": ${said}`, {
      hint: 'name its distribution in requirements.txt and serve with --env auto, or install it and serve with --env current',
      details: { missingModule },
    });
  }
  if (code === 'invalid-package') return new IngotError('invalid-package', said);
  return new IngotError('model-failed', `the model could not be loaded: ${said}`);
}

function diedLoading(exit: string, lines: readonly string[]): IngotError {
  if (exit.startsWith('could not be started')) {
    return new IngotError('environment-failed', `the Python interpreter ${exit}`);
  }
  const last = lines.filter((line) => line.trim() !== '').at(-1);
  return new IngotError('model-failed', `the model's process ${exit} while it loaded${last ? `: ${last}` : ''}`, {
    details: { lastLines: lines.slice(-20) },
  });
}

const REQUEST_CODES = ['model-failed', 'signature-mismatch', 'invalid-request'] as const;

/** Makes the error of one request from what the worker answered. The traceback is not in it. */
export function requestFailure(header: JsonObject): IngotError {
  const code = REQUEST_CODES.find((known) => known === header.code) ?? 'model-failed';
  return new IngotError(code, typeof header.message === 'string' ? header.message : 'the model raised an error');
}

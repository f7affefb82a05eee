import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';

const LOOKS_LIKE_A_PATH = /[\\*?]|\/.*\/|\.(?:pkl|pickle|joblib|onnx|pt|pth|h5|keras|safetensors|zip|ya?ml)$|\/$/i;

/**
 * Adds to an error about a reference that a path was probably meant: when there is a file of that name, or the text looks
 * like one. `models/churn.pkl` is a valid name of a model, so the reference is tried first.
 */
export function meantAsPath(source: string, cwd: string, error: IngotError): IngotError {
  if (!['invalid-name', 'invalid-reference', 'model-not-found', 'store-not-found'].includes(error.code)) return error;
  const exists = existsSync(resolve(cwd, source));
  if (!exists && !LOOKS_LIKE_A_PATH.test(source)) return error;
  const why = exists ? 'a file of this name is here' : 'it looks like a path';
  return new IngotError(error.code, `${error.message}; ${why}, and paths begin with ./ or /`, {
    nearest: `./${source}`,
    details: error.details,
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
    ...(error.operation !== undefined && { operation: error.operation }),
  });
}

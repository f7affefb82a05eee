import { redactAddress } from '../blob/address.ts';
import { IngotError } from '../errors.ts';
import { parseGlob } from './glob.ts';
import type { PlainAddress } from './plain-address.ts';

const SCHEME = /^(models|runs):\/*([^/].*)$/is;

/** Schemes of addresses that an MLflow server answers for. */
export function isMlflowAddress(text: string): boolean {
  return /^(?:models|runs):\//i.test(text);
}

/**
 * Takes `models:/churn/7`, `models:/churn@prod`, `models:/churn/Production`, `models:/m-…` or `runs:/ID/path` apart.
 * @param trackingUri address of the server, as `MLFLOW_TRACKING_URI` has it.
 * @throws IngotError `usage` for a malformed address, and without the address of a server.
 */
export function parseMlflowAddress(text: string, trackingUri: string | undefined): PlainAddress {
  const [, scheme, rest] = SCHEME.exec(text) ?? [];
  if (scheme === undefined || rest === undefined)
    throw new IngotError('usage', `"${text}" is not an address of MLflow`, {
      operation: 'source',
      hint: 'models:/churn/7, models:/churn@production, or runs:/RUN_ID/model',
    });
  if (trackingUri === undefined || !/^https?:\/\//i.test(trackingUri))
    throw new IngotError(
      'usage',
      trackingUri === undefined
        ? `"${text}" needs an MLflow server, and MLFLOW_TRACKING_URI names none`
        : `MLFLOW_TRACKING_URI=${redactAddress(trackingUri)} is no server that can be asked over HTTP`,
      { operation: 'source', hint: `MLFLOW_TRACKING_URI=http://127.0.0.1:5000 ingot pull ${text}` },
    );
  const parts = rest
    .replace(/\/+$/, '')
    .split('/')
    .map((name) => ({ ...parseGlob(''), text: name, literal: name }));
  return {
    text,
    scheme: scheme.toLowerCase(),
    root: `mlflow+${trackingUri.replace(/\/+$/, '')}/${scheme.toLowerCase()}`,
    rootNames: [],
    parts,
    isPattern: false,
    isDirectory: true,
  };
}

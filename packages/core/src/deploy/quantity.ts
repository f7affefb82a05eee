import { IngotError } from '../errors.ts';
import type { Quantity } from './deployment.ts';

/** What a quantity measures. */
export type Measured = 'cpu' | 'memory';

const FORMS: Readonly<Record<Measured, { readonly form: RegExp; readonly example: string }>> = {
  cpu: { form: /^(?:\d{1,4}(?:\.\d{1,3})?|\d{1,7}m)$/, example: '500m, 2 or 500m:2' },
  memory: { form: /^\d{1,15}(?:\.\d{1,3})?(?:Ki|Mi|Gi|Ti|k|M|G|T)?$/, example: '2Gi or 1Gi:2Gi' },
};

/** What the suffixes of Kubernetes multiply by. */
const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/**
 * Reads `REQUEST` or `REQUEST:LIMIT`. Memory has its request for limit unless one is given: what is not there cannot be
 * lent. A processor has none: it is shared by request.
 * @throws IngotError `usage`.
 * @example
 * parseQuantity('500m:2', 'cpu'); // { request: '500m', limit: '2' }
 */
export function parseQuantity(text: string, measured: Measured): Quantity {
  const [request = '', limit, ...more] = text.split(':');
  const parts = limit === undefined ? [request] : [request, limit];
  if (more.length > 0 || !parts.every((part) => isQuantity(part, measured))) throw malformed(text, measured);
  if (limit !== undefined && quantityValue(limit) < quantityValue(request))
    throw new IngotError('usage', `--${measured} ${text}: the limit is below the request`);
  if (measured === 'memory') return { request, limit: limit ?? request };
  return limit === undefined ? { request } : { request, limit };
}

/** The number that a quantity means: processors or bytes. */
export function quantityValue(text: string): number {
  const [, number = '', suffix = ''] = /^([\d.]+)(.*)$/.exec(text) ?? [];
  return Number(number) * (FACTORS[suffix] ?? 1);
}

function isQuantity(text: string, measured: Measured): boolean {
  return FORMS[measured].form.test(text) && quantityValue(text) > 0;
}

function malformed(text: string, measured: Measured): IngotError {
  return new IngotError('usage', `--${measured} "${text}" is no amount: write ${FORMS[measured].example}`);
}

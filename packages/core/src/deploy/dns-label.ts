import { createHash } from 'node:crypto';
import { IngotError } from '../errors.ts';

/** Room is left for what objects add to the name: `-settings-0123456789`. */
const MAX_NAME = 40;
const LABEL = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Makes a name that Kubernetes, compose and systemd take for everything: small letters, digits and `-`, beginning with a
 * letter, 40 characters at most. `team/churn_v2` becomes `team-churn-v2`; what is cut off is told apart by a hash.
 * @throws IngotError `invalid-name` when nothing usable is left.
 */
export function dnsLabel(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (plain === '')
    throw new IngotError('invalid-name', `"${text.slice(0, 100)}" leaves nothing for a name in a cluster`, {
      hint: 'ingot deploy … --name NAME',
    });
  const begun = /^[a-z]/.test(plain) ? plain : `m-${plain}`;
  if (begun.length <= MAX_NAME) return begun;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  return `${begun.slice(0, MAX_NAME - 9).replace(/-+$/, '')}-${hash}`;
}

/**
 * Checks a name that somebody chose: nothing is repaired.
 * @throws IngotError `invalid-name` with the nearest valid one.
 */
export function checkedLabel(text: string, what: string, maxLength = MAX_NAME): string {
  if (LABEL.test(text) && text.length <= maxLength) return text;
  const near = /[a-z0-9]/i.test(text) ? dnsLabel(text) : undefined;
  throw new IngotError(
    'invalid-name',
    `"${text.slice(0, 100)}" cannot be ${what}: small letters, digits and "-", beginning with a letter, ${maxLength} characters at most`,
    near === undefined || near === text ? {} : { nearest: near },
  );
}

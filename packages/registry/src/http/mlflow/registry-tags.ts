import { IngotError } from '@ingot/core/errors';
import type { Entry } from '../../tracking/context.ts';
import { checkKey, checkLength, LENGTHS } from '../../tracking/limits.ts';
import { isReserved } from './registry-names.ts';

/** Refuses a tag that no model or version can be given. Throws `usage`. */
export function checkRegistryTag({ key, value }: Entry): void {
  checkKey('tag', key, 'key');
  checkLength('Registered model value', value, LENGTHS.modelTagValue, 'value');
  if (isReserved(key)) throw new IngotError('usage', `the tag '${key}' is kept for what the server itself says`);
}

import { IngotError } from '../errors.ts';
import type { CheckedObject } from './checked-json.ts';
import type { Locator } from './content-store.ts';

const PACK_ID = /^[a-z0-9][a-z0-9-]{0,63}\/(?:0|[1-9][0-9]{0,8})$/;

/** Says whether a text is a pack's id: `<upload id>/<n>`. */
export function isPackId(text: string): boolean {
  return PACK_ID.test(text);
}

/** Key of the blob that is a pack. */
export function packKey(pack: string): string {
  return `packs/${pack}.pack`;
}

/** Takes the locator out of a JSON object. Throws `integrity`. */
export function parseLocator(fields: CheckedObject, what: string): Locator {
  return checkLocator(
    { pack: fields.text('pack'), offset: fields.count('offset'), length: fields.count('length') },
    what,
  );
}

/** Refuses a locator that no writer made. Throws `integrity`. */
export function checkLocator(locator: Locator, what: string): Locator {
  if (isPackId(locator.pack) && Number.isSafeInteger(locator.offset + locator.length)) return locator;
  throw new IngotError('integrity', `${what} points nowhere: pack "${locator.pack.slice(0, 80)}"`);
}

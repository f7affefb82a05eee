import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';

const LARGEST = 256 * 1024;

/** Asks a configured issuer for a document of JSON; no redirects, 5 s, 256 KiB. Throws `unavailable`. */
export async function fetchJson(address: string): Promise<JsonObject> {
  try {
    const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(5000) });
    const text = await response.text();
    if (!response.ok || text.length > LARGEST) throw new Error(`status ${response.status}, ${text.length} bytes`);
    const value: JsonValue = JSON.parse(text);
    if (isJsonObject(value)) return value;
    throw new Error('it is no object');
  } catch (cause) {
    throw new IngotError('unavailable', `${address} does not answer as an issuer does`, { cause });
  }
}

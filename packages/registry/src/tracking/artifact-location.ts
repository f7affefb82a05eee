import { IngotError } from '@ingot/core/errors';
import { checkLength, LENGTHS } from './limits.ts';

const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

/** Schemes of storages that a client may write to by itself. */
const STORAGES: ReadonlySet<string> = new Set([
  'mlflow-artifacts',
  's3',
  's3a',
  'gs',
  'wasb',
  'wasbs',
  'abfs',
  'abfss',
  'dbfs',
  'hdfs',
  'viewfs',
  'sftp',
  'ftp',
  'r2',
  'b2',
  'oci',
]);

/**
 * Refuses an address where artifacts cannot be: a directory of the server, something that climbs, or a scheme that is no storage.
 * @throws IngotError `usage`.
 */
export function checkArtifactLocation(location: string): void {
  checkLength('artifact_location', location, LENGTHS.artifactLocation);
  const [, scheme] = SCHEME.exec(location) ?? [];
  if (scheme?.toLowerCase() === 'runs') throw refused(location, 'it cannot be a runs:/ URI');
  if (scheme === undefined || !STORAGES.has(scheme.toLowerCase()))
    throw refused(location, 'it is the address of no storage (s3, gs, abfss, …) and not mlflow-artifacts:/');
  checkNoClimbing(location, () => refused(location, 'it climbs, or holds a query or fragment'));
}

/** Refuses an address with `..`, NUL, a backslash, a query or a fragment, however often they are percent-encoded. */
export function checkNoClimbing(address: string, error: () => IngotError): void {
  const plain = fullyDecoded(address, error);
  if (/[\0\\#?;]|[\r\n]/.test(plain)) throw error();
  if (plain.split('/').some((segment) => segment === '..' || segment === '.')) throw error();
}

/** Decodes until nothing changes. */
export function fullyDecoded(text: string, error: () => IngotError): string {
  let plain = text;
  for (let round = 0; round < 16; round += 1) {
    const next = decoded(plain);
    if (next === undefined || next === plain) return plain;
    plain = next;
  }
  throw error();
}

// A stray percent sign is only that.
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refused(location: string, why: string): IngotError {
  return new IngotError('usage', `Invalid artifact location '${location.slice(0, 200)}': ${why}.`);
}

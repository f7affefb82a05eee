import { schemeOf } from '@ingot/core/blob/address';
import { IngotError } from '@ingot/core/errors';
import type { Settings } from './settings.ts';
import type { StorageValue } from './storage-layers.ts';
import { concerns } from './storage-variables.ts';

/** Warns of variables in files of the working directory that were passed over, as far as the registry needs them. */
export function withheldFrom(settings: Settings): string[] {
  const scheme = schemeOf(settings.value('registry')?.text ?? '');
  return settings.storage.withheld
    .filter(({ name }) => scheme !== undefined && concerns(name, scheme))
    .map(
      ({ name, where, why }) =>
        `${name} is not read from ${where}, because a package could bring that file along, and ${why}; set it in the environment or under [storage] of the user configuration`,
    );
}

/** Who says an address. */
export interface Named {
  readonly origin: string;
  /** Whether a file of the working directory says it. */
  readonly project: boolean;
}

/** A secret that a storage gets to see as it is, not only as a signature. */
const SHOWN_SECRETS: Readonly<Record<string, readonly string[]>> = {
  s3: ['INGOT_S3_SSE_C_KEY'],
  gs: ['INGOT_GCS_ENCRYPTION_KEY'],
  az: ['INGOT_AZURE_ENCRYPTION_KEY', 'AZURE_STORAGE_SAS_TOKEN'],
  webdav: ['INGOT_WEBDAV_PASSWORD', 'INGOT_WEBDAV_TOKEN'],
  webdavs: ['INGOT_WEBDAV_PASSWORD', 'INGOT_WEBDAV_TOKEN'],
  sftp: ['INGOT_SFTP_PASSWORD'],
  http: ['INGOT_HTTP_PASSWORD', 'INGOT_HTTP_TOKEN'],
  https: ['INGOT_HTTP_PASSWORD', 'INGOT_HTTP_TOKEN'],
};

/** The variables that name another server than the cloud's own. */
const ENDPOINTS: Readonly<Record<string, readonly string[]>> = {
  s3: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  gs: ['INGOT_GCS_ENDPOINT', 'STORAGE_EMULATOR_HOST'],
  az: ['INGOT_AZURE_ENDPOINT', 'AZURE_STORAGE_CONNECTION_STRING'],
};

/** What proves who one is without the user's own login, whose tokens any server could use. */
const OWN_PROOF: Readonly<Record<string, readonly string[]>> = {
  gs: ['GOOGLE_APPLICATION_CREDENTIALS', 'INGOT_GCS_ANONYMOUS'],
  az: ['AZURE_STORAGE_KEY', 'AZURE_STORAGE_CONNECTION_STRING', 'AZURE_STORAGE_SAS_TOKEN', 'INGOT_AZURE_ANONYMOUS'],
};

/**
 * Keeps the user's secrets from a server that a file of the working directory names, as a package could bring that file
 * along. What only signs (the keys of S3) is no such secret, nor what stands in the same files.
 * @throws IngotError `refused`, naming the file and the secret.
 */
export function checkLentSecrets(address: string, named: Named, { storage }: Pick<Settings, 'storage'>): void {
  const scheme = schemeOf(address) ?? 'file';
  const server = serverNamedBy(address, scheme, named, storage.given);
  if (server === undefined) return;
  const lent = storage.given.find(({ name, project }) => !project && SHOWN_SECRETS[scheme]?.includes(name));
  if (lent !== undefined) throw refused(server, scheme, `${lent.name} (${lent.origin})`);
  const proofs = OWN_PROOF[scheme];
  if (proofs === undefined || /^http:/i.test(server.text)) return;
  if (storage.given.some((value) => value.project && proofs.includes(value.name) && provesItself(value))) return;
  throw refused(server, scheme, 'your own login');
}

/** A connection string may hold an address and no key. */
function provesItself({ name, text }: StorageValue): boolean {
  return name !== 'AZURE_STORAGE_CONNECTION_STRING' || /(?:AccountKey|SharedAccessSignature)=/i.test(text);
}

interface NamedServer {
  readonly text: string;
  readonly origin: string;
}

function serverNamedBy(
  address: string,
  scheme: string,
  { origin, project }: Named,
  given: readonly StorageValue[],
): NamedServer | undefined {
  if (/^(?:webdavs?|https?|sftp)$/.test(scheme)) return project ? { text: address, origin } : undefined;
  const option = /[?&]endpoint=([^&#]*)/.exec(address)?.[1];
  if (option !== undefined) return project ? { text: decodeURIComponent(option), origin } : undefined;
  const names = ENDPOINTS[scheme] ?? [];
  const variable = names.flatMap((name) => given.filter((value) => value.name === name))[0];
  return variable?.project === true ? variable : undefined;
}

function refused(server: NamedServer, scheme: string, secret: string): IngotError {
  return new IngotError(
    'refused',
    `${server.origin} names the server of ${scheme}://, which would get ${secret}: a package could have brought that file along`,
    {
      operation: 'open',
      hint: 'name the server in the environment or the user configuration too, or put its own credentials into .env',
    },
  );
}

import { IngotError } from '../../errors.ts';

/** What a connection string says. */
export interface ConnectionString {
  readonly account: string | undefined;
  readonly accountKey: string | undefined;
  readonly sharedAccessSignature: string | undefined;
  /** Without a closing slash. */
  readonly blobEndpoint: string | undefined;
}

// Azurite has these for everybody.
const DEVELOPMENT: ConnectionString = {
  account: 'devstoreaccount1',
  accountKey: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  sharedAccessSignature: undefined,
  blobEndpoint: 'http://127.0.0.1:10000/devstoreaccount1',
};

/**
 * Reads `AZURE_STORAGE_CONNECTION_STRING`.
 * @throws IngotError `invalid-config` when it names no account; the message never shows the text.
 */
export function readConnectionString(text: string): ConnectionString {
  const parts = new Map<string, string>();
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) parts.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim());
  }
  if (parts.get('usedevelopmentstorage')?.toLowerCase() === 'true') return DEVELOPMENT;
  const account = parts.get('accountname');
  const blobEndpoint = parts.get('blobendpoint')?.replace(/\/+$/, '') ?? endpointOf(parts, account);
  if (blobEndpoint === undefined)
    throw new IngotError('invalid-config', 'AZURE_STORAGE_CONNECTION_STRING names neither an account nor an endpoint', {
      operation: 'open',
      hint: 'az storage account show-connection-string --name NAME',
    });
  return {
    account: account ?? /^https:\/\/([a-z0-9]+)\.blob\./.exec(blobEndpoint)?.[1],
    accountKey: parts.get('accountkey'),
    sharedAccessSignature: parts.get('sharedaccesssignature'),
    blobEndpoint,
  };
}

function endpointOf(parts: ReadonlyMap<string, string>, account: string | undefined): string | undefined {
  if (account === undefined) return undefined;
  const protocol = parts.get('defaultendpointsprotocol') ?? 'https';
  return `${protocol}://${account}.blob.${parts.get('endpointsuffix') ?? 'core.windows.net'}`;
}

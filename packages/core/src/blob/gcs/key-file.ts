import { readFile } from 'node:fs/promises';
import { IngotError } from '../../errors.ts';

/** The kinds of credentials that Google's library knows. */
const TYPES = [
  'service_account',
  'authorized_user',
  'external_account',
  'external_account_authorized_user',
  'impersonated_service_account',
];

/** What a service account signs with. */
const OWN_FIELDS = ['private_key', 'client_email'];

/** Fields of a configuration that say where a token, which may be any file of this machine, is sent. */
const DESTINATIONS = ['token_url', 'service_account_impersonation_url', 'token_info_url'];

/**
 * Looks at what `GOOGLE_APPLICATION_CREDENTIALS` names before it is used. A configuration of workload identity federation
 * says which file is sent to which address; one that came along with a package could name any, so only Google's own
 * addresses (and this machine's) are accepted.
 * @throws IngotError `invalid-config` when it cannot be read or holds no credentials, `refused` when it names another address.
 */
export async function checkKeyFile(path: string): Promise<void> {
  const fields = await readFields(path);
  if (typeof fields.type !== 'string' || !TYPES.includes(fields.type))
    throw unusable(path, `its "type" is none of ${TYPES.join(', ')}`);
  const lacking =
    fields.type === 'service_account' ? OWN_FIELDS.find((name) => typeof fields[name] !== 'string') : undefined;
  if (lacking !== undefined) throw unusable(path, `which has no "${lacking}"`);
  for (const name of DESTINATIONS) {
    const value = fields[name];
    if (typeof value !== 'string' || isTrusted(value)) continue;
    throw new IngotError('refused', `${path} would send credentials to ${hostOf(value)}`, {
      operation: 'open',
      details: { path, field: name },
      hint: `make it anew with gcloud iam workload-identity-pools create-cred-config`,
    });
  }
}

async function readFields(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw unusable(path, 'which cannot be read', cause);
  }
  try {
    const fields: unknown = JSON.parse(text);
    if (typeof fields === 'object' && fields !== null) return { ...fields };
  } catch {
    // Its text may hold a key and is not shown.
  }
  throw unusable(path, 'which is not JSON');
}

function unusable(path: string, why: string, cause?: unknown): IngotError {
  return new IngotError('invalid-config', `GOOGLE_APPLICATION_CREDENTIALS names ${path}, ${why}`, {
    operation: 'open',
    details: { path },
    hint: 'a key file of a service account, or unset it and run gcloud auth application-default login',
    cause,
  });
}

function isTrusted(address: string): boolean {
  const host = hostOf(address);
  if (host === '127.0.0.1' || host === 'localhost' || host === '[::1]') return true;
  return address.startsWith('https://') && /(?:^|\.)googleapis\.com$/.test(host);
}

function hostOf(address: string): string {
  try {
    return new URL(address).hostname;
  } catch {
    return address;
  }
}

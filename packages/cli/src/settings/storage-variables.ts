/**
 * *Storage variables* are what the clouds' own clients and Ingot's backends read from the environment: who one is, in
 * which region, with which key. They may also stand in `.env` and in the `[storage]` table of the settings files.
 */

/** One variable. */
export interface StorageVariable {
  readonly name: string;
  /** Its value is never shown. */
  readonly secret?: true;
  /**
   * Why files of the working directory cannot set it, since a package could bring them along: what it would do then.
   * Undefined: they can.
   */
  readonly notFromProject?: string;
}

const RUNS_PROGRAMS = 'it can name a program to run';
const TAKES_TOKENS = 'tokens would be sent to where it points';
const READS_FILES = 'the file it names would be sent away';
const TRUSTS = 'it decides whom connections trust';

const PASSES_ALL = 'everything would go through it';

const secret = (name: string): StorageVariable => ({ name, secret: true });
const plain = (name: string): StorageVariable => ({ name });
const own = (name: string, notFromProject: string): StorageVariable => ({ name, notFromProject });
const ownSecret = (name: string, notFromProject: string): StorageVariable => ({ name, secret: true, notFromProject });

/** Every variable that is read for a storage. */
export const STORAGE_VARIABLES: readonly StorageVariable[] = [
  ...['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_REGION', 'AWS_DEFAULT_REGION'].map(plain),
  ...['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'].map(secret),
  ...['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT'].map(plain),
  own('AWS_CONFIG_FILE', RUNS_PROGRAMS),
  own('AWS_SHARED_CREDENTIALS_FILE', RUNS_PROGRAMS),
  own('AWS_CA_BUNDLE', TRUSTS),
  own('AWS_ENDPOINT_URL_STS', TAKES_TOKENS),
  own('AWS_ENDPOINT_URL_SSO', TAKES_TOKENS),
  own('AWS_ENDPOINT_URL_SSO_OIDC', TAKES_TOKENS),
  own('AWS_WEB_IDENTITY_TOKEN_FILE', READS_FILES),
  own('AWS_ROLE_ARN', TAKES_TOKENS),
  own('AWS_CONTAINER_CREDENTIALS_FULL_URI', TAKES_TOKENS),
  own('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', TAKES_TOKENS),
  own('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', READS_FILES),
  ownSecret('AWS_CONTAINER_AUTHORIZATION_TOKEN', TAKES_TOKENS),
  own('AWS_EC2_METADATA_SERVICE_ENDPOINT', TAKES_TOKENS),
  ...['S3_PATH_STYLE', 'S3_ANONYMOUS', 'S3_SSE', 'S3_SSE_KMS_KEY_ID', 'S3_SSE_BUCKET_KEY', 'S3_STORAGE_CLASS'].map(
    ingot,
  ),
  ...['S3_REQUEST_PAYER', 'S3_CHECKSUM', 'S3_PART_MIB'].map(ingot),
  secret('INGOT_S3_SSE_C_KEY'),

  ...['GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT', 'CLOUDSDK_CORE_PROJECT'].map(plain),
  plain('STORAGE_EMULATOR_HOST'),
  own('CLOUDSDK_CONFIG', READS_FILES),
  own('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES', RUNS_PROGRAMS),
  own('GCE_METADATA_HOST', TAKES_TOKENS),
  ...['GCS_ENDPOINT', 'GCS_ANONYMOUS', 'GCS_USER_PROJECT', 'GCS_KMS_KEY'].map(ingot),
  secret('INGOT_GCS_ENCRYPTION_KEY'),

  ...['AZURE_STORAGE_ACCOUNT', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID'].map(plain),
  ...['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_STORAGE_KEY', 'AZURE_STORAGE_SAS_TOKEN', 'AZURE_CLIENT_SECRET'].map(
    secret,
  ),
  own('AZURE_AUTHORITY_HOST', TAKES_TOKENS),
  own('AZURE_FEDERATED_TOKEN_FILE', READS_FILES),
  own('AZURE_CLIENT_CERTIFICATE_PATH', READS_FILES),
  ownSecret('AZURE_CLIENT_CERTIFICATE_PASSWORD', READS_FILES),
  own('IDENTITY_ENDPOINT', TAKES_TOKENS),
  own('MSI_ENDPOINT', TAKES_TOKENS),
  ...['AZURE_ENDPOINT', 'AZURE_ANONYMOUS', 'AZURE_ENCRYPTION_SCOPE'].map(ingot),
  secret('INGOT_AZURE_ENCRYPTION_KEY'),

  ...['WEBDAV_USER', 'HTTP_USER'].map(ingot),
  ...['INGOT_HTTP_PASSWORD', 'INGOT_HTTP_TOKEN'].map(secret),
  ...['INGOT_WEBDAV_PASSWORD', 'INGOT_WEBDAV_TOKEN'].map(secret),
  own('INGOT_SFTP_KEY', 'it would choose among your keys'),
  own('INGOT_SFTP_KNOWN_HOSTS', TRUSTS),
  ...['INGOT_SFTP_PASSWORD', 'INGOT_SFTP_KEY_PASSPHRASE'].map(secret),

  ...['HTTPS_PROXY', 'HTTP_PROXY', 'https_proxy', 'http_proxy'].map((name) => own(name, PASSES_ALL)),
  ...['NO_PROXY', 'no_proxy'].map((name) => own(name, PASSES_ALL)),
  own('NODE_EXTRA_CA_CERTS', TRUSTS),
];

function ingot(name: string): StorageVariable {
  return { name: `INGOT_${name}` };
}

const BY_NAME: ReadonlyMap<string, StorageVariable> = new Map(STORAGE_VARIABLES.map((spec) => [spec.name, spec]));

const READ_FOR: Readonly<Record<string, RegExp>> = {
  s3: /^(?:AWS|INGOT_S3)_/,
  gs: /^(?:GOOGLE|GCLOUD|GCE|CLOUDSDK|STORAGE_EMULATOR|INGOT_GCS)_/,
  az: /^(?:AZURE|IDENTITY|MSI|INGOT_AZURE)_/,
  webdav: /^INGOT_WEBDAV_/,
  webdavs: /^INGOT_WEBDAV_/,
  sftp: /^INGOT_SFTP_/,
  http: /^INGOT_HTTP_/,
  https: /^INGOT_HTTP_/,
};

/** Says whether a storage variable matters to addresses of a scheme. */
export function concerns(name: string, scheme: string): boolean {
  if (/_proxy$|^NODE_/i.test(name)) return /^(?:s3|gs|az|webdavs?|https?)$/.test(scheme);
  return READ_FOR[scheme]?.test(name) ?? false;
}

/** Gives what is known of a variable; undefined for one that no storage reads. */
export function storageVariable(name: string): StorageVariable | undefined {
  return BY_NAME.get(name);
}

import { IngotError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { checkKey } from '../key.ts';
import type { AgentSettings } from '../remote/agents.ts';
import { silenceMs } from '../silence.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How objects are encrypted at rest, where the bucket's own rule does not decide it. */
export interface S3Encryption {
  /** `INGOT_S3_SSE`: `AES256`, `aws:kms` or `aws:kms:dsse`. */
  readonly mode?: 'AES256' | 'aws:kms' | 'aws:kms:dsse';
  /** `INGOT_S3_SSE_KMS_KEY_ID`: id, alias or ARN of a KMS key. */
  readonly kmsKeyId?: string;
  /** `INGOT_S3_SSE_BUCKET_KEY`: `true` saves requests to KMS. */
  readonly bucketKey?: boolean;
  /** `INGOT_S3_SSE_C_KEY`: base64 of 32 bytes, a key that the client holds and sends with every request. */
  readonly customerKey?: string;
}

/** Everything that configures a store on S3. */
export interface S3Settings {
  readonly address: string;
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  /** `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or `?endpoint=`. Default: Amazon's. */
  readonly endpoint: string | undefined;
  /** What sets the endpoint, for messages: one of the above. Default: `AWS_ENDPOINT_URL`. */
  readonly endpointFrom: string;
  /** `AWS_REGION`, `AWS_DEFAULT_REGION` or `?region=`. Default: the shared configuration's; `us-east-1` with an endpoint. */
  readonly region: string | undefined;
  /** `?path-style=` or `INGOT_S3_PATH_STYLE`. Default: true with an endpoint. */
  readonly pathStyle: boolean;
  /** `INGOT_S3_ANONYMOUS`: requests are not signed, for public buckets. Default: false. */
  readonly anonymous: boolean;
  /** `AWS_PROFILE`. It wins over keys in the environment, as in Amazon's own tools. */
  readonly profile: string | undefined;
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined;
  readonly encryption: S3Encryption;
  /** `INGOT_S3_STORAGE_CLASS`, for objects of 128 KiB and more, as smaller ones are charged as if they were that large. */
  readonly storageClass: StorageClassName | undefined;
  /** `INGOT_S3_REQUEST_PAYER=requester`: the bucket's owner does not pay. */
  readonly requesterPays: boolean;
  /** `INGOT_S3_CHECKSUM`: `sha256` (default) sends a checksum that the storage verifies and keeps; `none` is for servers that refuse it. */
  readonly checksum: 'sha256' | 'none';
  /** `INGOT_S3_PART_MIB`: size of the parts of a multipart upload. Default: 8 MiB. */
  readonly partBytes: number;
  /** `INGOT_STORAGE_TIMEOUT`. */
  readonly silenceMs: number;
  /** What connections depend on: `AWS_CA_BUNDLE`, `NODE_EXTRA_CA_CERTS`, `HTTPS_PROXY`, `NO_PROXY`. */
  readonly connection: AgentSettings;
}

const STORAGE_CLASSES = [
  'STANDARD',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
  'REDUCED_REDUNDANCY',
  'EXPRESS_ONEZONE',
] as const;
const MODES = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const;
const PARAMETERS = ['endpoint', 'region', 'path-style'];

/** The classes that can be read at once; a store in an archive could not be read. */
export type StorageClassName = (typeof STORAGE_CLASSES)[number];

/**
 * Reads an address and its variables.
 * @throws IngotError `usage` for a malformed address, `invalid-config` for a malformed variable.
 */
export function readS3Settings(address: string, env: Environment): S3Settings {
  const { bucket, prefix, parameters } = parseAddress(address);
  const { endpoint, endpointFrom } = endpointOf(parameters, env);
  const region = parameters.get('region') ?? valueIn(env, 'AWS_REGION') ?? valueIn(env, 'AWS_DEFAULT_REGION');
  const profile = valueIn(env, 'AWS_PROFILE');
  return {
    address,
    bucket,
    prefix,
    endpoint,
    endpointFrom,
    region: region ?? (endpoint === undefined ? undefined : 'us-east-1'),
    pathStyle:
      flag('path-style', parameters.get('path-style')) ?? flagOf(env, 'INGOT_S3_PATH_STYLE') ?? endpoint !== undefined,
    anonymous: flagOf(env, 'INGOT_S3_ANONYMOUS') ?? false,
    profile,
    credentials: profile === undefined ? credentialsOf(env) : undefined,
    encryption: encryptionOf(env),
    storageClass: choiceOf(env, 'INGOT_S3_STORAGE_CLASS', STORAGE_CLASSES),
    requesterPays: choiceOf(env, 'INGOT_S3_REQUEST_PAYER', ['requester']) !== undefined,
    checksum: choiceOf(env, 'INGOT_S3_CHECKSUM', ['sha256', 'none'] as const) ?? 'sha256',
    partBytes: partBytesOf(env),
    silenceMs: silenceMs(env),
    connection: {
      endpoint: endpoint ?? `https://${bucket}.s3.amazonaws.com`,
      env,
      trust: ['AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'],
    },
  };
}

function parseAddress(address: string) {
  const [, bucket = '', path = '', query = ''] = /^s3:\/\/([^/?]*)([^?]*)\??(.*)$/is.exec(address) ?? [];
  if (!/^[a-z0-9._-]{1,255}$/i.test(bucket)) throw malformed(address, 'a bucket name follows s3://');
  const prefix = path.replace(/^\/+|\/+$/g, '');
  if (prefix !== '') checkKey(prefix);
  const parameters = new Map(new URLSearchParams(query));
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name))
      throw malformed(
        address,
        `it has no option "${name}"; there are ${PARAMETERS.join(', ')}`,
        nearest(name, PARAMETERS),
      );
  }
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/`, parameters };
}

function malformed(address: string, why: string, near?: string): IngotError {
  return new IngotError('usage', `"${address}" is not an address of S3: ${why}`, {
    operation: 'open',
    hint: 's3://bucket/prefix?endpoint=http://host:9000',
    ...(near === undefined ? {} : { nearest: near }),
  });
}

function endpointOf(
  parameters: ReadonlyMap<string, string>,
  env: Environment,
): Pick<S3Settings, 'endpoint' | 'endpointFrom'> {
  const given = [
    ['?endpoint', parameters.get('endpoint')],
    ...['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].map((name) => [name, valueIn(env, name)] as const),
  ] as const;
  const [endpointFrom, endpoint] = given.find(([, value]) => value !== undefined) ?? ['AWS_ENDPOINT_URL', undefined];
  if (endpoint === undefined || (URL.canParse(endpoint) && /^https?:\/\/[^/@]+\/?/i.test(endpoint)))
    return { endpoint, endpointFrom };
  throw new IngotError('invalid-config', `the S3 endpoint "${endpoint}" is not an http(s) address`, {
    hint: `${endpointFrom}=https://host:9000`,
  });
}

function credentialsOf(env: Environment): S3Settings['credentials'] {
  const accessKeyId = valueIn(env, 'AWS_ACCESS_KEY_ID');
  const secretAccessKey = valueIn(env, 'AWS_SECRET_ACCESS_KEY');
  const sessionToken = valueIn(env, 'AWS_SESSION_TOKEN');
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  const missing = accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
  throw new IngotError('invalid-config', `only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set`, {
    hint: `set ${missing} too, or neither`,
  });
}

function encryptionOf(env: Environment): S3Encryption {
  const mode = choiceOf(env, 'INGOT_S3_SSE', MODES);
  const kmsKeyId = valueIn(env, 'INGOT_S3_SSE_KMS_KEY_ID');
  const bucketKey = flagOf(env, 'INGOT_S3_SSE_BUCKET_KEY');
  const customerKey = valueIn(env, 'INGOT_S3_SSE_C_KEY');
  if (customerKey !== undefined && (mode ?? kmsKeyId) !== undefined)
    throw new IngotError('invalid-config', 'INGOT_S3_SSE_C_KEY and INGOT_S3_SSE exclude each other');
  if (customerKey !== undefined && Buffer.from(customerKey, 'base64').byteLength !== 32)
    throw new IngotError('invalid-config', 'INGOT_S3_SSE_C_KEY is not the base64 of 32 bytes', {
      hint: 'INGOT_S3_SSE_C_KEY=$(openssl rand -base64 32)',
    });
  if (kmsKeyId !== undefined && mode === 'AES256')
    throw new IngotError('invalid-config', 'INGOT_S3_SSE_KMS_KEY_ID needs INGOT_S3_SSE=aws:kms');
  const kmsMode = kmsKeyId === undefined ? mode : (mode ?? 'aws:kms');
  return {
    ...(kmsMode === undefined ? {} : { mode: kmsMode }),
    ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
    ...(bucketKey === undefined ? {} : { bucketKey }),
    ...(customerKey === undefined ? {} : { customerKey }),
  };
}

const MIB = 1024 * 1024;

// S3 takes parts of 5 MiB to 5 GiB; several are in memory at once.
function partBytesOf(env: Environment): number {
  const text = valueIn(env, 'INGOT_S3_PART_MIB');
  const mebibytes = Number(text ?? 8);
  if (Number.isInteger(mebibytes) && mebibytes >= 5 && mebibytes <= 1024) return mebibytes * MIB;
  throw new IngotError('invalid-config', `INGOT_S3_PART_MIB=${text} is not a whole number from 5 to 1024`, {
    hint: 'INGOT_S3_PART_MIB=8',
  });
}

function valueIn(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function choiceOf<const Choice extends string>(
  env: Environment,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = valueIn(env, name);
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
  if (choice !== undefined) return choice;
  const near = nearest(value, choices);
  throw new IngotError(
    'invalid-config',
    `${name}=${value} is not one of ${choices.join(', ')}`,
    near ? { nearest: near } : {},
  );
}

const flagOf = (env: Environment, name: string) => flag(name, valueIn(env, name));

function flag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(?:1|true|yes|on)$/i.test(value)) return true;
  if (/^(?:0|false|no|off)$/i.test(value)) return false;
  throw new IngotError('invalid-config', `${name}=${value} is neither true nor false`);
}

import { readFile } from 'node:fs/promises';
import { isJsonObject } from '@ingot/core/json';
import { resolvePath } from './settings.ts';
import { storageVariable } from './storage-variables.ts';

/** Storage variables from one place. */
export interface StorageLayer {
  readonly where: string;
  /** Directory that a relative path starts from. */
  readonly base: string;
  /** Whether it is a file of the working directory. */
  readonly project: boolean;
  readonly storage: ReadonlyMap<string, string>;
}

/** A variable with the place that set it. */
export interface StorageValue {
  readonly name: string;
  readonly text: string;
  readonly origin: string;
  readonly project: boolean;
}

/** A variable that a file of the working directory may not set. */
export interface WithheldVariable {
  readonly name: string;
  readonly where: string;
  readonly why: string;
}

/** What all places say together. */
export interface StorageReport {
  /** What files give and the environment does not have, and what the environment has. */
  readonly given: readonly StorageValue[];
  readonly withheld: readonly WithheldVariable[];
}

/**
 * Variables that only make sense together: what a stronger place says of one hides what a weaker one says of all, so that
 * a key of here is never combined with a secret of there.
 */
const TOGETHER: readonly (readonly string[])[] = [
  ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'],
  ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'],
  ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  ['STORAGE_EMULATOR_HOST', 'INGOT_GCS_ENDPOINT'],
  ['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_STORAGE_KEY', 'AZURE_STORAGE_SAS_TOKEN'],
  ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET'],
  ['INGOT_HTTP_USER', 'INGOT_HTTP_PASSWORD', 'INGOT_HTTP_TOKEN'],
  ['INGOT_WEBDAV_USER', 'INGOT_WEBDAV_PASSWORD', 'INGOT_WEBDAV_TOKEN'],
  ['INGOT_S3_SSE', 'INGOT_S3_SSE_KMS_KEY_ID', 'INGOT_S3_SSE_C_KEY'],
];

/** Puts the places together, the strongest first. */
export async function readStorageLayers(layers: readonly StorageLayer[]): Promise<StorageReport> {
  const given = new Map<string, StorageValue>();
  const hidden = new Set<string>();
  const withheld: WithheldVariable[] = [];
  for (const layer of layers) {
    const names = [...layer.storage.keys()];
    for (const [name, text] of layer.storage) {
      if (hidden.has(name) || text === '') continue;
      const why = layer.project ? await whyNot(name, text, layer) : undefined;
      if (why === undefined) set(given, name, text, layer);
      else withheld.push({ name, where: layer.where, why });
    }
    for (const name of names) for (const other of [name, ...(groupOf(name) ?? [])]) hidden.add(other);
  }
  return { given: [...given.values()], withheld };
}

function groupOf(name: string): readonly string[] | undefined {
  return TOGETHER.find((group) => group.includes(name));
}

function set(given: Map<string, StorageValue>, name: string, text: string, layer: StorageLayer): void {
  // From a project it is an address for objects only: tokens of other services must not be sent there.
  const meant = layer.project && name === 'AWS_ENDPOINT_URL' ? 'AWS_ENDPOINT_URL_S3' : name;
  if (meant !== name && layer.storage.has(meant)) return;
  const value = name === 'GOOGLE_APPLICATION_CREDENTIALS' ? resolvePath(text, layer.base) : text;
  given.set(meant, { name: meant, text: value, origin: `${layer.where} ${name}`, project: layer.project });
}

async function whyNot(name: string, text: string, layer: StorageLayer): Promise<string | undefined> {
  if (name !== 'GOOGLE_APPLICATION_CREDENTIALS') return storageVariable(name)?.notFromProject;
  return (await holdsOwnKey(resolvePath(text, layer.base)))
    ? undefined
    : 'the file is not a service account key, and others can read files and run programs';
}

/** A key file of these kinds proves who one is with what it holds itself; others say where to fetch it. */
async function holdsOwnKey(path: string): Promise<boolean> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isJsonObject(parsed) && (parsed.type === 'service_account' || parsed.type === 'authorized_user');
  } catch {
    // Google's client names what is wrong with a file, when it comes to that.
    return true;
  }
}

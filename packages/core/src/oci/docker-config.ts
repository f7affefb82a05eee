/**
 * Credentials that Docker, Podman and their kin have kept: `auths` in their configuration files, and the programs it
 * names, which keep them in the system's key chain. Source: Docker's `config.json` and its credential-helper protocol.
 */

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../json.ts';
import type { RegistryCredential } from './registry-auth.ts';

/** Where the configuration is found. */
export interface DockerConfigOptions {
  /** `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`, `HOME`, and `PATH` for the programs. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Repository that is meant: Podman keeps credentials for parts of a registry, too. Default: any. */
  readonly repository?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const HELPER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const HELPER_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const HUB_KEYS = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'];

/**
 * Finds what was kept for a host; undefined when there is nothing. A file that `REGISTRY_AUTH_FILE` names must be there,
 * the usual ones need not.
 * @throws IngotError `invalid-config` for a file that cannot be read, or a program that fails.
 */
export async function dockerCredential(
  host: string,
  options: DockerConfigOptions,
): Promise<RegistryCredential | undefined> {
  for (const { path, isNamed } of filesOf(options.env)) {
    const config = await readConfig(path, isNamed);
    const found = config && (await credentialIn(config, host, options));
    if (found !== undefined) return found;
  }
  return undefined;
}

function filesOf(env: DockerConfigOptions['env']): { readonly path: string; readonly isNamed: boolean }[] {
  if (given(env.REGISTRY_AUTH_FILE)) return [{ path: env.REGISTRY_AUTH_FILE, isNamed: true }];
  const docker = given(env.DOCKER_CONFIG) ? env.DOCKER_CONFIG : given(env.HOME) ? join(env.HOME, '.docker') : undefined;
  return [
    ...(docker === undefined ? [] : [join(docker, 'config.json')]),
    ...(given(env.XDG_RUNTIME_DIR) ? [join(env.XDG_RUNTIME_DIR, 'containers', 'auth.json')] : []),
    ...(given(env.HOME) ? [join(env.HOME, '.config', 'containers', 'auth.json')] : []),
  ].map((path) => ({ path, isNamed: false }));
}

function given(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

async function readConfig(path: string, isNamed: boolean): Promise<JsonObject | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (!isNamed && ['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemErrorCode(cause) ?? '')) return undefined;
    throw new IngotError('invalid-config', `the credentials in ${path} cannot be read`, { cause });
  }
  const config = parseJson(text);
  if (isJsonObject(config)) return config;
  throw new IngotError('invalid-config', `${path} is not valid JSON`, { hint: 'docker login HOST   (writes it anew)' });
}

async function credentialIn(
  config: JsonObject,
  host: string,
  options: DockerConfigOptions,
): Promise<RegistryCredential | undefined> {
  const keys = host === 'docker.io' ? HUB_KEYS : [host];
  const { credHelpers, credsStore, auths } = config;
  for (const key of keys) {
    const own = isJsonObject(credHelpers) ? credHelpers[key] : undefined;
    if (typeof own === 'string') return await askHelper(own, key, options);
  }
  const parts = partsOf(host, options.repository);
  const entry = isJsonObject(auths) ? entryOf(auths, [...parts, ...keys]) : undefined;
  const kept = entry && keptIn(entry);
  if (kept !== undefined) return kept;
  if (typeof credsStore !== 'string' || credsStore === '') return undefined;
  for (const key of keys) {
    const found = await askHelper(credsStore, key, options);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The repository and what it lies in, the narrowest first. Source: containers-auth.json(5). */
function partsOf(host: string, repository = ''): readonly string[] {
  const parts = repository.split('/').filter(Boolean);
  return parts.map((_, n) => [host, ...parts.slice(0, parts.length - n)].join('/'));
}

/** Finds the first of some keys: hosts and repositories, or addresses as old versions wrote them (`https://registry.example.com/v1/`). */
function entryOf(auths: JsonObject, keys: readonly string[]): JsonObject | undefined {
  const named = Object.entries(auths).map(([name, value]) => ({
    names: [name, name.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')],
    value,
  }));
  for (const key of keys)
    for (const { names, value } of named) if (names.includes(key) && isJsonObject(value)) return value;
  return undefined;
}

function keptIn({ auth, identitytoken, username, password }: JsonObject): RegistryCredential | undefined {
  const text = typeof auth === 'string' && auth !== '' ? Buffer.from(auth, 'base64').toString('utf8') : undefined;
  const colon = text?.indexOf(':') ?? -1;
  const [user, secret] =
    text !== undefined && colon >= 0
      ? [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')]
      : [username, password];
  if (typeof identitytoken === 'string' && identitytoken !== '')
    return { username: typeof user === 'string' ? user : '', identityToken: identitytoken };
  if (typeof user !== 'string' || typeof secret !== 'string' || user === '') return undefined;
  return { username: user, password: secret };
}

/** Asks a program by the protocol: the host on its input, JSON on its output. Nothing is given to a shell. */
async function askHelper(
  helper: string,
  host: string,
  { env, signal }: DockerConfigOptions,
): Promise<RegistryCredential | undefined> {
  if (!HELPER.test(helper))
    throw new IngotError('invalid-config', `"${helper.slice(0, 60)}" cannot be the name of a credential helper`);
  const program = `docker-credential-${helper}`;
  const { code, out, err } = await run(program, host, env, signal);
  if (code !== 0) {
    if (/credentials not found|no credentials/i.test(out + err)) return undefined;
    throw failed(program, host, `it ended with ${code}`);
  }
  const said = parseJson(out);
  const { Username: username, Secret: secret } = isJsonObject(said) ? said : {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(program, host, 'its answer is no credential');
  return username === '<token>' ? { username: '', identityToken: secret } : { username, password: secret };
}

function run(
  program: string,
  input: string,
  env: DockerConfigOptions['env'],
  signal: AbortSignal | undefined,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: HELPER_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    const [out, err] = [child.stdout, child.stderr].map((stream) => {
      const held = { text: '' };
      stream.setEncoding('utf8');
      stream.on('data', (piece: string) => {
        held.text += piece;
        if (held.text.length > MAX_ANSWER_BYTES) child.kill();
      });
      return held;
    });
    child.on('error', (cause) => reject(failed(program, input, String(systemErrorCode(cause) ?? cause.name), cause)));
    child.on('close', (code) => resolve({ code, out: out?.text ?? '', err: err?.text ?? '' }));
    // A program that reads nothing is told by its answer.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

// What it said is not shown: it may hold a secret.
function failed(program: string, host: string, why: string, cause?: unknown): IngotError {
  return new IngotError('invalid-config', `${program} gave no credential for ${host}: ${why}`, {
    operation: 'oci.login',
    hint: `docker login ${host}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What this machine knows to be let in by servers: one token for each, in a file that only its owner reads. */

import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { userConfigPath } from './settings/settings.ts';

/** What is kept of a server. */
export interface Credential {
  readonly token: string;
  /** Names the token to the server. */
  readonly id: string;
  /** Whose it is. */
  readonly name: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The part of a server's address that tokens are kept by: `https://models.example.com`. Throws `usage`. */
export function serverOrigin(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new IngotError('usage', `"${url}" is no address of a server`, {
      hint: 'ingot login https://models.example.com',
    });
  return new URL(url).origin;
}

/** The token for a server: that of `INGOT_TOKEN`, else the one that `ingot login` has kept; undefined when there is none. */
export async function tokenFor(url: string, env: Environment): Promise<string | undefined> {
  if (env.INGOT_TOKEN !== undefined && env.INGOT_TOKEN !== '') return env.INGOT_TOKEN.trim();
  return (await credentialFor(url, env))?.token;
}

/** What `ingot login` has kept of a server. */
export async function credentialFor(url: string, env: Environment): Promise<Credential | undefined> {
  return (await readAll(env)).get(serverOrigin(url));
}

/** Keeps what lets in to a server; undefined forgets it. */
export async function keepCredential(
  url: string,
  credential: Credential | undefined,
  env: Environment,
): Promise<string> {
  const all = await readAll(env);
  if (credential === undefined) all.delete(serverOrigin(url));
  else all.set(serverOrigin(url), credential);
  const path = fileOf(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ servers: Object.fromEntries(all) }, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, 0o600);
  await rename(temporary, path);
  return path;
}

function fileOf(env: Environment): string {
  return join(dirname(userConfigPath(env)), 'credentials.json');
}

async function readAll(env: Environment): Promise<Map<string, Credential>> {
  const path = fileOf(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return new Map();
    throw error;
  }
  const servers: unknown = parsed(text, path);
  if (!isRecord(servers)) return new Map();
  return new Map(Object.entries(servers).flatMap(([url, item]) => (isCredential(item) ? [[url, item] as const] : [])));
}

function parsed(text: string, path: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value.servers : undefined;
  } catch (cause) {
    throw new IngotError('invalid-config', `${path} is not valid`, { hint: `rm ${path} && ingot login URL`, cause });
  }
}

function isCredential(value: unknown): value is Credential {
  if (!isRecord(value)) return false;
  return typeof value.token === 'string' && typeof value.id === 'string' && typeof value.name === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How a client shows who it is: the key that was named, the SSH agent, the usual key files, a password; in this order. */

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { AuthMethod, ParsedKey } from 'ssh2';
import { IngotError, systemErrorCode } from '../../errors.ts';
import type { SftpAddress } from './address.ts';
import { KnownHosts } from './known-hosts.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Reads a private key; an error when it is none or its passphrase is missing. */
export type ParseKey = (data: Buffer, passphrase?: string) => ParsedKey | ParsedKey[] | Error;

const DEFAULT_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/**
 * Gathers the ways to log in.
 * @throws IngotError `invalid-config` when the named key cannot be read; `forbidden` when there is no way at all.
 */
export async function loginMethods(address: SftpAddress, env: Env, parseKey: ParseKey): Promise<AuthMethod[]> {
  const { user: username } = address;
  const password = env.INGOT_SFTP_PASSWORD ?? address.password;
  const methods: AuthMethod[] = [];
  const named = textOf(env.INGOT_SFTP_KEY);
  if (named !== undefined) methods.push({ type: 'publickey', username, key: await namedKey(named, env, parseKey) });
  const agent = textOf(env.SSH_AUTH_SOCK);
  if (named === undefined && agent !== undefined) methods.push({ type: 'agent', username, agent });
  if (named === undefined)
    for (const key of await usualKeys(env, parseKey)) methods.push({ type: 'publickey', username, key });
  if (password !== undefined) {
    methods.push({ type: 'password', username, password });
    // Many servers ask for the password this way instead.
    methods.push({
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
    });
  }
  if (methods.length > 0) return methods;
  throw new IngotError('forbidden', `there is nothing to log in to ${address.shown} with`, {
    operation: 'open',
    hint: LOGIN_HINT,
  });
}

/** Says how to log in. */
export const LOGIN_HINT =
  'set INGOT_SFTP_KEY to a private key file, start an SSH agent that holds one (ssh-add), or set INGOT_SFTP_PASSWORD';

/** Where the keys of hosts are looked up: what `INGOT_SFTP_KNOWN_HOSTS` names, else the user's and the machine's files. */
export function knownHostsFiles(env: Env): readonly string[] {
  const named = textOf(env.INGOT_SFTP_KNOWN_HOSTS);
  return named === undefined ? [join(sshDirectory(env), 'known_hosts'), '/etc/ssh/ssh_known_hosts'] : [named];
}

/**
 * Reads the known hosts.
 * @throws IngotError `invalid-config` when the file that was named cannot be read.
 */
export async function readKnownHosts(env: Env): Promise<KnownHosts> {
  const isNamed = textOf(env.INGOT_SFTP_KNOWN_HOSTS) !== undefined;
  const texts = await Promise.all(
    knownHostsFiles(env).map(async (path) => {
      try {
        return await readFile(path, 'utf8');
      } catch (cause) {
        if (!isNamed && systemErrorCode(cause) === 'ENOENT') return '';
        throw new IngotError('invalid-config', `the known hosts in ${path} cannot be read`, { cause });
      }
    }),
  );
  return new KnownHosts(texts.join('\n'));
}

async function namedKey(path: string, env: Env, parseKey: ParseKey): Promise<ParsedKey> {
  const data = await readFile(path).catch((cause: unknown) => {
    throw new IngotError('invalid-config', `INGOT_SFTP_KEY names ${path}, which cannot be read`, { cause });
  });
  const key = oneKey(parseKey(data, env.INGOT_SFTP_KEY_PASSPHRASE));
  if (!(key instanceof Error)) return key;
  throw new IngotError('invalid-config', `INGOT_SFTP_KEY names ${path}, which is not usable: ${key.message}`, {
    hint: 'a key with a passphrase needs INGOT_SFTP_KEY_PASSPHRASE, or an SSH agent',
    cause: key,
  });
}

// Keys that are not there, or that need a passphrase nobody gave, are passed over as `ssh` does without a terminal.
async function usualKeys(env: Env, parseKey: ParseKey): Promise<ParsedKey[]> {
  const keys: ParsedKey[] = [];
  for (const name of DEFAULT_KEYS) {
    const data = await readFile(join(sshDirectory(env), name)).catch(() => undefined);
    const key = data && oneKey(parseKey(data, env.INGOT_SFTP_KEY_PASSPHRASE));
    if (key !== undefined && !(key instanceof Error)) keys.push(key);
  }
  return keys;
}

function oneKey(parsed: ParsedKey | ParsedKey[] | Error): ParsedKey | Error {
  if (parsed instanceof Error) return parsed;
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key?.isPrivateKey() === true ? key : new Error('it holds no private key');
}

function sshDirectory(env: Env): string {
  return join(textOf(env.HOME) ?? homedir(), '.ssh');
}

function textOf(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

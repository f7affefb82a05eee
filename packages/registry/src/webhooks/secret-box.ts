import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';

const KEY_FILE = 'secrets.key';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts secrets for the database, with a key that is not in it. */
export interface SecretBox {
  /** @param place what the secret belongs to; it opens there only. */
  seal(secret: string, place: string): string;
  /** Says whether a text was sealed with this key, as it says itself. */
  hasSealed(sealed: string): boolean;
  /** Names the key to whoever has it; says nothing of it to anybody else. */
  readonly fingerprint: string;
  /** Its file. */
  readonly path: string;
  /** Throws `invalid-config` when it was sealed with another key. */
  open(sealed: string, place: string): string;
}

/**
 * Opens the key in a directory, and makes one where there is none (`secrets.key`, readable by its owner only). Servers
 * that share a database need the same file.
 */
export async function openSecretBox(directory: string, random: (size: number) => Uint8Array): Promise<SecretBox> {
  const path = join(directory, KEY_FILE);
  const key = (await readKey(path)) ?? (await makeKey(path, random));
  const id = createHash('sha256').update(key).digest('base64url').slice(0, 8);
  return {
    path,
    fingerprint: createHmac('sha256', key).update('fingerprint of secrets.key').digest('base64url').slice(0, 22),
    hasSealed: (sealed) => sealed.startsWith(`v1.${id}.`),
    seal(secret, place) {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
      const sealed = [cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `v1.${id}.${Buffer.concat([nonce, ...sealed]).toString('base64url')}`;
    },
    open(sealed, place) {
      const [version, by, text = ''] = sealed.split('.');
      if (version !== 'v1' || by !== id)
        throw new IngotError('invalid-config', `a secret was sealed with another key than ${path}`, {
          hint: 'give every server over this database the same secrets.key, or set the secret anew',
        });
      const bytes = Buffer.from(text, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES));
      decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}

async function readKey(path: string): Promise<Buffer | undefined> {
  try {
    const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'hex');
    if (key.length === KEY_BYTES) return key;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  throw new IngotError('invalid-config', `${path} is no key: 64 hex digits`, { hint: 'restore it from a backup' });
}

async function makeKey(path: string, random: (size: number) => Uint8Array): Promise<Buffer> {
  const key = Buffer.from(random(KEY_BYTES));
  try {
    await writeFile(path, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    return key;
  } catch (error) {
    // Another server over the same directory was first.
    const other = systemErrorCode(error) === 'EEXIST' ? await readKey(path) : undefined;
    if (other !== undefined) return other;
    throw error;
  }
}

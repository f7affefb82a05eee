/**
 * Argon2id (RFC 9106), by Node's own implementation where there is one (24.7 and later), else by a package. Hashes have
 * the PHC form, `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, whoever has made them.
 */

import * as crypto from 'node:crypto';
import { IngotError, systemErrorCode } from '@ingot/core/errors';

/** How dear a hash is. */
export interface Argon2Cost {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

/** First choice of OWASP's password storage recommendations for argon2id. */
export const COST: Argon2Cost = { memory: 19_456, passes: 2, lanes: 1 };

interface NodeParameters {
  readonly message: Buffer;
  readonly nonce: Buffer;
  readonly parallelism: number;
  readonly tagLength: number;
  readonly memory: number;
  readonly passes: number;
}

type NodeArgon2 = (
  algorithm: 'argon2id',
  parameters: NodeParameters,
  done: (error: Error | null, tag: Buffer) => void,
) => void;

const SALT_BYTES = 16;
const TAG_BYTES = 32;
const PHC = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,171})$/;

/** Hashes a password, off the main thread. */
export async function argon2Hash(password: string): Promise<string> {
  const own = nodeArgon2();
  if (own === undefined) {
    const { hash } = await packagedArgon2();
    const { memory: memoryCost, passes: timeCost, lanes: parallelism } = COST;
    return await hash(password, { memoryCost, timeCost, parallelism, outputLen: TAG_BYTES });
  }
  const salt = crypto.randomBytes(SALT_BYTES);
  const tag = await tagOf(own, password, salt, COST, TAG_BYTES);
  const { memory, passes, lanes } = COST;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(tag)}`;
}

/** Whether a hash is that of a password; a text that is no such hash is of none. Takes the same time either way. */
export async function argon2Matches(phc: string, password: string): Promise<boolean> {
  const own = nodeArgon2();
  if (own === undefined) {
    const { verify } = await packagedArgon2();
    return await verify(phc, password);
  }
  const [, memory, passes, lanes, salt, tag] = PHC.exec(phc) ?? [];
  if (salt === undefined || tag === undefined) return false;
  const expected = Buffer.from(tag, 'base64');
  const cost = { memory: Number(memory), passes: Number(passes), lanes: Number(lanes) };
  const given = await tagOf(own, password, Buffer.from(salt, 'base64'), cost, expected.byteLength);
  return crypto.timingSafeEqual(given, expected);
}

function tagOf(own: NodeArgon2, password: string, nonce: Buffer, cost: Argon2Cost, tagLength: number): Promise<Buffer> {
  const { memory, passes, lanes: parallelism } = cost;
  const parameters = { message: Buffer.from(password), nonce, parallelism, tagLength, memory, passes };
  return new Promise((resolve, reject) => {
    own('argon2id', parameters, (error, tag) => (error === null ? resolve(tag) : reject(error)));
  });
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

function nodeArgon2(): NodeArgon2 | undefined {
  const functions: object = crypto;
  return hasArgon2(functions) ? functions.argon2 : undefined;
}

function hasArgon2(functions: object): functions is { readonly argon2: NodeArgon2 } {
  return 'argon2' in functions && typeof functions.argon2 === 'function';
}

async function packagedArgon2() {
  try {
    return await import('@node-rs/argon2');
  } catch (error) {
    if (systemErrorCode(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new IngotError('invalid-config', `Node.js ${process.versions.node} cannot keep passwords`, {
      hint: 'run the server with Node.js 24.7 or newer, or install the package @node-rs/argon2 beside ingot',
      cause: error,
    });
  }
}

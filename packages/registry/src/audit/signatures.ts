import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';

/** A text and who vouches for it. */
export interface SignedText {
  /** As it was signed, byte for byte. */
  readonly payload: string;
  /** Ed25519 over the UTF-8 bytes of the payload, in Base64. */
  readonly signature: string;
  /** Names the public key, see {@link keyIdOf}. */
  readonly key: string;
}

/** A pair of keys, in PEM. */
export interface KeyPair {
  readonly id: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

/** Makes an Ed25519 pair. */
export function makeKeyPair(): KeyPair {
  const pair = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { id: keyIdOf(pair.publicKey), publicKey: pair.publicKey, privateKey: pair.privateKey };
}

/** Names a public key: `ed25519:` and the SHA-256 of its DER form, in hex. Throws `integrity` for what is no key. */
export function keyIdOf(publicKey: string): string {
  try {
    const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
    return `ed25519:${createHash('sha256').update(der).digest('hex')}`;
  } catch (cause) {
    throw new IngotError('integrity', 'that is no public key in PEM', { cause });
  }
}

/** Signs a text. */
export function signText(payload: string, { id, privateKey }: KeyPair): SignedText {
  const signature = sign(null, Buffer.from(payload), createPrivateKey(privateKey)).toString('base64');
  return { payload, signature, key: id };
}

/** Whether the owner of a public key signed a text. */
export function isSignedBy({ payload, signature, key }: SignedText, publicKey: string): boolean {
  const loaded = createPublicKey(publicKey);
  if (loaded.asymmetricKeyType !== 'ed25519' || keyIdOf(publicKey) !== key) return false;
  return verify(null, Buffer.from(payload), loaded, Buffer.from(signature, 'base64'));
}

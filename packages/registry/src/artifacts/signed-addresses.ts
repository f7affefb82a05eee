import { createHmac, timingSafeEqual } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import type { ArtifactContext } from './artifact-context.ts';
import { ArtifactPath } from './artifact-path.ts';

/** What a signed address lets whoever has it do, until it expires. */
export type SignedAct =
  | { readonly act: 'read' | 'write'; readonly path: ArtifactPath }
  | { readonly act: 'part'; readonly upload: string; readonly number: number };

/** Longest time that an address may be good for: seven days, as storages have it. */
export const MAX_SIGNED_SECONDS = 7 * 24 * 3600;

/** Makes and reads the tokens of addresses that need no other proof of who asks. */
export class SignedAddresses {
  readonly #context: Pick<ArtifactContext, 'key' | 'now'>;

  constructor(context: Pick<ArtifactContext, 'key' | 'now'>) {
    this.#context = context;
  }

  /** Makes a token. Throws `invalid-request` for a time that is not between 1 second and 7 days. */
  sign(act: SignedAct, seconds: number): string {
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_SIGNED_SECONDS)
      throw new IngotError('invalid-request', `expiration must be between 1 and ${MAX_SIGNED_SECONDS} seconds`);
    const until = Math.floor(this.#context.now().getTime() / 1000) + seconds;
    const facts = 'path' in act ? { act: act.act, path: act.path.text } : act;
    const text = Buffer.from(JSON.stringify({ ...facts, until })).toString('base64url');
    return `${text}.${this.#seal(text).toString('base64url')}`;
  }

  /** Reads a token. Throws `forbidden` when it was not made here, or is over. */
  read(token: string): SignedAct {
    const [text = '', seal = '', ...more] = token.split('.');
    const given = Buffer.from(seal, 'base64url');
    const own = this.#seal(text);
    if (more.length > 0 || given.length !== own.length || !timingSafeEqual(given, own)) throw refused('is not valid');
    const facts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (!isJsonObject(facts) || typeof facts.until !== 'number') throw refused('is not valid');
    if (facts.until * 1000 < this.#context.now().getTime()) throw refused('has expired');
    const { act, path, upload, number } = facts;
    if ((act === 'read' || act === 'write') && typeof path === 'string') return { act, path: ArtifactPath.parse(path) };
    if (act === 'part' && typeof upload === 'string' && typeof number === 'number') return { act, upload, number };
    throw refused('is not valid');
  }

  #seal(text: string): Buffer {
    return createHmac('sha256', this.#context.key).update(`artifact address\n${text}`).digest();
  }
}

function refused(how: string): IngotError {
  return new IngotError('forbidden', `this address ${how}`, { hint: 'ask the server for a new one' });
}

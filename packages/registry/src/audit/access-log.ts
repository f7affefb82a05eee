/**
 * *Access events* are what happens at the server's door: sign-ins, what was denied, what was granted. They are written
 * together, a quarter of a second after the first, and chained by digest, so that one which is missing is missed.
 */

import { digestOf } from '@ingot/core/digest';
import { canonicalJson, type JsonObject } from '@ingot/core/json';
import type { Kysely } from 'kysely';
import type { RequestOrigin } from '../access/identity.ts';
import type { AuditTables } from './tables.ts';

/** Kinds of access events. */
export type AccessKind =
  | 'server-started'
  | 'signed-in'
  | 'sign-in-failed'
  | 'signed-out'
  | 'denied'
  | 'limited'
  | 'account-added'
  | 'account-removed'
  | 'password-changed'
  | 'granted'
  | 'revoked'
  | 'token-created'
  | 'token-revoked'
  | 'downloaded'
  | 'exported'
  | 'policy-changed'
  | 'retention-run'
  | 'webhook-changed'
  | 'checkpoint-refused'
  | 'protected-move-flagged'
  | 'suppressed';

/** Something that happened at the door. */
export interface AccessEvent {
  readonly kind: AccessKind;
  readonly actor: string;
  readonly origin?: RequestOrigin | undefined;
  readonly model?: string | undefined;
  /** Never secrets. */
  readonly details?: JsonObject;
}

/** What an access log is kept with. */
export interface AccessLogOptions {
  readonly own: Kysely<AuditTables>;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  readonly warn: (message: string) => void;
}

const FLUSH_AFTER_MS = 250;
const ROWS_AT_ONCE = 200;
/** Of one kind from one address in a minute; more are counted. */
const ROWS_A_MINUTE = 120;
const WAITING_AT_MOST = 20_000;
/** Kinds that somebody without rights can cause as often as they like. */
const FLOODS: ReadonlySet<AccessKind> = new Set(['denied', 'limited', 'sign-in-failed', 'downloaded']);

interface Waiting {
  readonly at: string;
  readonly event: AccessEvent;
}

/** Keeps access events. Disposing it writes what is still waiting. */
export class AccessLog implements AsyncDisposable {
  readonly #options: AccessLogOptions;
  readonly #chain: string;
  readonly #counts = new Map<string, number>();
  #minute = 0;
  #suppressed = 0;
  #waiting: Waiting[] = [];
  #seq = 0;
  #previous: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#chain = `${options.now().toISOString()}-${Buffer.from(options.random(6)).toString('hex')}`;
  }

  /** Notes an event; it is on the disk within a second. Never throws. */
  record(event: AccessEvent): void {
    const now = this.#options.now();
    if (FLOODS.has(event.kind) && this.#isTooMuch(event, now.getTime())) return;
    this.#waiting.push({ at: now.toISOString(), event });
    this.#timer ??= setTimeout(() => this.#flushSoon(), FLUSH_AFTER_MS);
  }

  /** The last event of this server's own chain. */
  get head(): { readonly chain: string; readonly seq: number; readonly digest: string } | undefined {
    return this.#previous === null ? undefined : { chain: this.#chain, seq: this.#seq, digest: this.#previous };
  }

  /** Writes what is waiting. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#write());
    await this.#flushing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }

  #flushSoon(): void {
    this.flush().catch((error: unknown) => {
      this.#options.warn(`access events cannot be written yet: ${String(error)}`);
      this.#flushing = Promise.resolve();
      this.#timer ??= setTimeout(() => this.#flushSoon(), 4 * FLUSH_AFTER_MS);
    });
  }

  async #write(): Promise<void> {
    if (this.#suppressed > 0) {
      const details = { events: this.#suppressed };
      this.#suppressed = 0;
      this.#waiting.push({
        at: this.#options.now().toISOString(),
        event: { kind: 'suppressed', actor: 'server', details },
      });
    }
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, ROWS_AT_ONCE);
      let [seq, previous] = [this.#seq, this.#previous];
      const rows = batch.map(({ at, event }) => {
        seq += 1;
        const text = canonicalJson({ ...event, at, chain: this.#chain, seq, previous });
        previous = digestOf(text);
        const { kind, actor, model = null } = event;
        return { chain: this.#chain, seq, digest: previous, at, kind, actor, model, event: text };
      });
      await this.#options.own.insertInto('access_events').values(rows).execute();
      this.#waiting.splice(0, batch.length);
      [this.#seq, this.#previous] = [seq, previous];
    }
  }

  #isTooMuch({ kind, origin }: AccessEvent, now: number): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#counts.clear();
    }
    const key = `${kind} ${origin?.address ?? ''}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= ROWS_A_MINUTE && this.#waiting.length < WAITING_AT_MOST) return false;
    this.#suppressed += 1;
    return true;
  }
}

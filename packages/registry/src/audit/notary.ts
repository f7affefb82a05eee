/** Signs what the logs' last events are, from time to time and when asked, and keeps the statements in the server's own tables. */

import type { FormatOnce } from '@ingot/core/content/store-format';
import { isDigest } from '@ingot/core/digest';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { AccessLog } from './access-log.ts';
import { checkpointDigest, checkpointText, type LogHead } from './checkpoint.ts';
import { type KeyPair, makeKeyPair, type SignedText, signText } from './signatures.ts';
import type { AuditTables } from './tables.ts';

/** What a notary signs with. */
export interface NotaryOptions {
  readonly own: Kysely<AuditTables>;
  readonly index: Kysely<IndexTables>;
  readonly format: FormatOnce;
  readonly accessLog: AccessLog;
  readonly now: () => Date;
  readonly warn: (message: string) => void;
  /** Default: every minute, when something has grown. */
  readonly everyMs?: number;
}

const EVERY_MS = 60_000;

/** A checkpoint as it is handed out. */
export interface KeptCheckpoint extends SignedText {
  readonly number: number;
  readonly at: string;
}

/** A log whose signed history is not the one that stands there now. */
export interface Contradiction {
  readonly log: string;
  readonly seq: number;
  readonly signed: string;
  /** Null: it is not there. */
  readonly found: string | null;
}

/** Signs checkpoints. Disposing it signs what has grown since the last. */
export class Notary implements AsyncDisposable {
  readonly #options: NotaryOptions;
  readonly #timer: NodeJS.Timeout;
  #key: Promise<KeyPair> | undefined;
  #signing: Promise<unknown> = Promise.resolve();
  #told = new Set<string>();

  constructor(options: NotaryOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#signQuietly(), options.everyMs ?? EVERY_MS);
    this.#timer.unref();
  }

  /** The public key in PEM, and its name; made at the first use, and the same on all servers of a database. */
  async publicKey(): Promise<Pick<KeyPair, 'id' | 'publicKey'>> {
    const { id, publicKey } = await this.#pair();
    return { id, publicKey };
  }

  /** Public keys of all checkpoints, in PEM, by name. */
  async publicKeys(): Promise<Record<string, string>> {
    await this.#pair();
    const rows = await this.#options.own.selectFrom('audit_keys').select(['id', 'public_key']).execute();
    return Object.fromEntries(rows.map(({ id, public_key }) => [id, public_key]));
  }

  /** Signs any text with the server's key. */
  async sign(payload: string): Promise<SignedText> {
    return signText(payload, await this.#pair());
  }

  /** All checkpoints from a number on, oldest first. */
  async checkpoints(from = 1, limit = 10_000): Promise<KeptCheckpoint[]> {
    const rows = await this.#options.own
      .selectFrom('audit_checkpoints')
      .selectAll()
      .where('number', '>=', from)
      .orderBy('number')
      .limit(limit)
      .execute();
    return rows.map(({ number, at, payload, signature, key_id }) => ({ number, at, payload, signature, key: key_id }));
  }

  /** Signs logs that have grown; undefined when none has. What contradicts an older statement is not signed, and told. */
  async checkpoint(): Promise<KeptCheckpoint | undefined> {
    const work = this.#signing.then(() => this.#sign());
    this.#signing = work.catch(() => {}); // Told by whoever asked for it.
    return work;
  }

  /** Logs whose signed history is not what the index says now. */
  async contradictions(): Promise<Contradiction[]> {
    const signed = await this.#options.own.selectFrom('audit_signed_heads').selectAll().execute();
    const found: Contradiction[] = [];
    for (const { log, seq, digest } of signed) {
      const now = await this.#digestNow(log, seq);
      if (now !== digest) found.push({ log, seq, signed: digest, found: now });
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#signing;
    await this.checkpoint().catch((error: unknown) => this.#options.warn(`no last checkpoint: ${String(error)}`));
  }

  #signQuietly(): void {
    this.checkpoint().catch((error: unknown) => this.#options.warn(`no checkpoint could be made: ${String(error)}`));
  }

  async #sign(): Promise<KeptCheckpoint | undefined> {
    const logs = await this.#grown();
    if (Object.keys(logs).length === 0) return undefined;
    const { own, now, format, accessLog } = this.#options;
    await accessLog.flush();
    const { id: store } = await format.open();
    const pair = await this.#pair();
    return own.transaction().execute(async (writing) => {
      const last = await writing
        .selectFrom('audit_checkpoints')
        .selectAll()
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst();
      const number = (last?.number ?? 0) + 1;
      const at = now().toISOString();
      const previous = last === undefined ? null : checkpointDigest(last);
      const text = checkpointText({ store, number, at, previous, logs, access: accessLog.head ?? null });
      const signed = signText(text, pair);
      const row = { number, at, key_id: pair.id, payload: text, signature: signed.signature };
      await writing.insertInto('audit_checkpoints').values(row).execute();
      for (const [log, { seq, digest }] of Object.entries(logs))
        await writing
          .insertInto('audit_signed_heads')
          .values({ log, seq, digest })
          .onConflict((conflict) => conflict.column('log').doUpdateSet({ seq, digest }))
          .execute();
      return { number, at, ...signed };
    });
  }

  async #grown(): Promise<Record<string, LogHead>> {
    const { own, index } = this.#options;
    const heads = await index.selectFrom('logs').selectAll().execute();
    const signed = new Map(
      (await own.selectFrom('audit_signed_heads').selectAll().execute()).map((row) => [row.log, row]),
    );
    const grown: Record<string, LogHead> = {};
    for (const { log, seq, digest } of heads) {
      const name = nameOfLog(log);
      const before = signed.get(name);
      if (seq === 0 || !isDigest(digest) || (before?.seq === seq && before.digest === digest)) continue;
      const now = before === undefined ? undefined : await this.#digestNow(name, before.seq);
      if (before === undefined || now === before.digest) grown[name] = { seq, digest };
      else this.#refuse({ log: name, seq: before.seq, signed: before.digest, found: now ?? null });
    }
    return grown;
  }

  #refuse(contradiction: Contradiction): void {
    const { log, seq } = contradiction;
    if (this.#told.has(`${log} ${seq}`)) return;
    this.#told.add(`${log} ${seq}`);
    this.#options.warn(`event ${seq} of ${log} is not the one that was signed: the history was changed`);
    this.#options.accessLog.record({ kind: 'checkpoint-refused', actor: 'server', details: { ...contradiction } });
  }

  async #digestNow(log: string, seq: number): Promise<string | null> {
    const row = await this.#options.index
      .selectFrom('events')
      .select('digest')
      .where('log', '=', log.replace(/^models\//, ''))
      .where('seq', '=', seq)
      .executeTakeFirst();
    return row?.digest ?? null;
  }

  #pair(): Promise<KeyPair> {
    this.#key ??= this.#loadPair().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #loadPair(): Promise<KeyPair> {
    const { own, now } = this.#options;
    const newest = own.selectFrom('audit_keys').selectAll().orderBy('created_at').orderBy('id').limit(1);
    let row = await newest.executeTakeFirst();
    if (row === undefined) {
      const { id, publicKey, privateKey } = makeKeyPair();
      const made = { id, public_key: publicKey, private_key: privateKey, created_at: now().toISOString() };
      await own.insertInto('audit_keys').values(made).execute();
      // Of servers that start together, the first key counts.
      row = await newest.executeTakeFirstOrThrow();
    }
    return { id: row.id, publicKey: row.public_key, privateKey: row.private_key };
  }
}

/** A log as its place in the store names it: `names`, `models/<id>`. */
export function nameOfLog(log: string): string {
  return log === 'names' ? log : `models/${log}`;
}

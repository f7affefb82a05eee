import type { BlobStore } from '@ingot/core/blob/blob-store';
import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { Identity } from '../access/identity.ts';
import type { Log } from '../services.ts';
import type { ContentTables } from './tables.ts';

/** Uploads of one owner that were begun within a day and not ended; more are refused, so that nobody fills the table. */
const MOST_OPEN = 1000;
const HOUR_MS = 3_600_000;
/** An upload of which nothing was heard for longer may make room for another one of its owner. */
const IDLE_MS = 24 * HOUR_MS;
/** As long as clients remember what an upload that was cut short has sent. */
const KEPT_MS = 14 * 24 * HOUR_MS;

/** What the ledger works with. */
export interface UploadLedgerOptions {
  readonly tables: Kysely<ContentTables>;
  readonly blobs: Pick<BlobStore, 'list'>;
  readonly now: () => Date;
  readonly log: Log;
}

/** Remembers whose upload is whose: an upload belongs to whoever has written to it first. Forgets what is over or two weeks old. */
export class UploadLedger implements Disposable {
  readonly #options: UploadLedgerOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: UploadLedgerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#expire(), HOUR_MS);
    this.#timer.unref();
  }

  /** Whether the caller has begun this upload here, and it is not over. */
  async isOwn(id: string, identity: Identity): Promise<boolean> {
    const owner = await this.#ownerOf(id);
    return owner !== undefined && owner === ownerName(identity);
  }

  /**
   * Makes the upload the caller's, or sees that it is. What others have written to, also past this server, is nobody's
   * to take over.
   * @throws IngotError `forbidden` when somebody else has begun it, `overloaded` when the caller has too many.
   */
  async claim(id: string, identity: Identity): Promise<void> {
    const name = ownerName(identity);
    const owner = await this.#ownerOf(id);
    if (owner === name) return;
    if (owner !== undefined || (await this.#hasPacks(id))) throw othersUpload(id);
    await this.#makeRoom(name, identity.name);
    await this.#options.tables
      .insertInto('uploads')
      .values({ id, owner: name, at: this.#nowMs() })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
    if ((await this.#ownerOf(id)) !== name) throw othersUpload(id);
  }

  /** Throws `forbidden` when the upload is not the caller's. */
  async requireOwn(id: string, identity: Identity): Promise<void> {
    if (!(await this.isOwn(id, identity))) throw othersUpload(id);
  }

  /** Forgets an upload that is over. */
  async release(id: string): Promise<void> {
    await this.#options.tables.deleteFrom('uploads').where('id', '=', id).execute();
  }

  /** Forgets uploads that were begun before a time; what they have written is a collection's business. */
  async forgetBefore(time: Date, owner?: string): Promise<void> {
    const { tables } = this.#options;
    const old = tables.deleteFrom('uploads').where('at', '<', time.getTime());
    await (owner === undefined ? old : old.where('owner', '=', owner)).execute();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #expire(): Promise<void> {
    try {
      await this.forgetBefore(new Date(this.#nowMs() - KEPT_MS));
    } catch (error) {
      this.#options.log('warn', `old uploads could not be forgotten: ${String(error)}`);
    }
  }

  async #ownerOf(id: string): Promise<string | undefined> {
    const { tables } = this.#options;
    const row = await tables.selectFrom('uploads').select('owner').where('id', '=', id).executeTakeFirst();
    return row?.owner;
  }

  async #hasPacks(id: string): Promise<boolean> {
    for await (const _ of this.#options.blobs.list(`packs/${id}/`)) return true;
    return false;
  }

  async #makeRoom(owner: string, shown: string): Promise<void> {
    if ((await this.#openOf(owner)) < MOST_OPEN) return;
    await this.forgetBefore(new Date(this.#nowMs() - IDLE_MS), owner);
    const open = await this.#openOf(owner);
    if (open < MOST_OPEN) return;
    throw new IngotError('overloaded', `"${shown}" has ${open} uploads that were begun and not finished`, {
      hint: 'finish them, or wait until they are a day old',
    });
  }

  async #openOf(owner: string): Promise<number> {
    const { open } = await this.#options.tables
      .selectFrom('uploads')
      .select(({ fn }) => fn.countAll<number>().as('open'))
      .where('owner', '=', owner)
      .executeTakeFirstOrThrow();
    return Number(open);
  }

  #nowMs(): number {
    return this.#options.now().getTime();
  }
}

// A name can be given to somebody else later; whose grants count cannot.
function ownerName({ subject, name }: Identity): string {
  return subject ?? name;
}

function othersUpload(id: string): IngotError {
  return new IngotError('forbidden', `upload ${id} is somebody else's`, { details: { upload: id } });
}

import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { Identity } from '../access/identity.ts';
import type { ContentTables } from './tables.ts';

/** Uploads of one owner that were begun and not released; more are refused, so that nobody fills the table. */
const MOST_OPEN = 1000;

/** Remembers whose upload is whose: an upload belongs to whoever has written to it first. */
export class UploadLedger {
  readonly #tables: Kysely<ContentTables>;
  readonly #now: () => Date;

  constructor(tables: Kysely<ContentTables>, now: () => Date) {
    this.#tables = tables;
    this.#now = now;
  }

  /** Says who owns an upload, if anybody has begun it here. */
  async ownerOf(id: string): Promise<string | undefined> {
    const row = await this.#tables.selectFrom('uploads').select('owner').where('id', '=', id).executeTakeFirst();
    return row?.owner;
  }

  /**
   * Makes the upload the caller's, or sees that it is.
   * @throws IngotError `forbidden` when somebody else has begun it, `overloaded` when the caller has too many.
   */
  async claim(id: string, { name }: Identity): Promise<void> {
    const owner = await this.ownerOf(id);
    if (owner === name) return;
    if (owner !== undefined) throw othersUpload(id);
    await this.#refuseTooMany(name);
    await this.#tables
      .insertInto('uploads')
      .values({ id, owner: name, at: this.#now().getTime() })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
    if ((await this.ownerOf(id)) !== name) throw othersUpload(id);
  }

  /** Throws `forbidden` when the upload is not the caller's. */
  async requireOwn(id: string, { name }: Identity): Promise<void> {
    if ((await this.ownerOf(id)) !== name) throw othersUpload(id);
  }

  /** Forgets an upload that is over. */
  async release(id: string): Promise<void> {
    await this.#tables.deleteFrom('uploads').where('id', '=', id).execute();
  }

  /** Forgets uploads that were begun before a time; what they have written is a collection's business. */
  async forgetBefore(time: Date): Promise<void> {
    await this.#tables.deleteFrom('uploads').where('at', '<', time.getTime()).execute();
  }

  async #refuseTooMany(owner: string): Promise<void> {
    const { open } = await this.#tables
      .selectFrom('uploads')
      .select(({ fn }) => fn.countAll<number>().as('open'))
      .where('owner', '=', owner)
      .executeTakeFirstOrThrow();
    if (Number(open) >= MOST_OPEN)
      throw new IngotError('overloaded', `"${owner}" has ${open} uploads that were begun and not finished`, {
        hint: 'finish them, or wait until they have expired',
      });
  }
}

function othersUpload(id: string): IngotError {
  return new IngotError('forbidden', `upload ${id} is somebody else's`, { details: { upload: id } });
}

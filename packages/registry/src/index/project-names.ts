import type { StoredEvent } from '@ingot/core/registry/events';
import { NAME_KINDS } from '@ingot/core/registry/events';
import { Fields } from '@ingot/core/registry/fields';
import { refuseUnknown } from '@ingot/core/registry/fold';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { storable } from './storable.ts';

type Index = Kysely<IndexTables>;

const KNOWN: ReadonlySet<string> = new Set(NAME_KINDS);

/**
 * Writes what events of the names log change.
 * @throws IngotError `integrity`, `refused` for a kind of a newer release.
 */
export async function projectNameEvents(index: Index, events: readonly StoredEvent[]): Promise<void> {
  for (const event of events) {
    const { head, body } = event;
    const file = `names/log/${String(head.seq).padStart(10, '0')}.json`;
    if (!KNOWN.has(head.kind))
      refuseUnknown({ seq: head.seq, kind: head.kind, ignorable: head.ignorable === true }, 'read', () => file);
    if (body === undefined) continue;
    const fields = new Fields(body, file);
    if (head.kind === 'model-created') await create(index, event, fields);
    if (head.kind === 'model-renamed') await rename(index, event, fields.objects('renames'));
    if (head.kind === 'model-deleted') await remove(index, event, fields.text('id'));
  }
}

async function create(index: Index, event: StoredEvent, fields: Fields): Promise<void> {
  const { at, actor } = event.head;
  const [id, name] = [fields.text('id'), fields.text('name')];
  await index
    .insertInto('models')
    .values({
      id,
      name,
      closed: 0,
      created_at: at,
      created_by: storable(actor),
      updated_at: at,
      description: null,
      newest_description: null,
      last_number: 0,
      latest: null,
      versions: 0,
    })
    .execute();
  await named(index, event, id, name);
}

// All old names go before the first new one comes: two models can swap their names in one event.
async function rename(index: Index, event: StoredEvent, renames: readonly Fields[]): Promise<void> {
  for (const fields of renames) {
    await index.updateTable('models').set({ name: null }).where('id', '=', fields.text('id')).execute();
    await unnamed(index, event, fields.text('id'));
  }
  for (const fields of renames) {
    const [id, name] = [fields.text('id'), fields.text('to')];
    await index.updateTable('models').set({ name }).where('id', '=', id).execute();
    await named(index, event, id, name);
  }
}

async function remove(index: Index, event: StoredEvent, id: string): Promise<void> {
  await index.updateTable('models').set({ name: null, closed: 1 }).where('id', '=', id).execute();
  await unnamed(index, event, id);
}

async function named(index: Index, { head }: StoredEvent, id: string, name: string): Promise<void> {
  const span = { from_at: head.at, from_seq: head.seq, until_at: null, until_seq: null };
  await index
    .insertInto('model_names')
    .values({ name, model_id: id, ...span })
    .execute();
}

async function unnamed(index: Index, { head }: StoredEvent, id: string): Promise<void> {
  await index
    .updateTable('model_names')
    .set({ until_at: head.at, until_seq: head.seq })
    .where('model_id', '=', id)
    .where('until_seq', 'is', null)
    .execute();
}

import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import type { Kysely, Selectable } from 'kysely';
import { EVENT_TYPES, isEventPattern } from './cloud-event.ts';
import type { AllowedHosts } from './private-addresses.ts';
import type { KeyAgreement } from './key-agreement.ts';
import type { SecretBox } from './secret-box.ts';
import { checkWebhookUrl } from './send.ts';
import type { WebhookRow, WebhookTables } from './tables.ts';

/** Whose payloads and headers a webhook gets. */
export type WebhookFormat = 'cloudevents' | 'mlflow';

/** A webhook; its secret is never told. */
export interface Webhook {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly format: WebhookFormat;
  readonly events: readonly string[];
  /** Null: all models. */
  readonly models: readonly string[] | null;
  readonly description: string | null;
  readonly hasSecret: boolean;
  readonly status: 'active' | 'disabled';
  readonly disabledBecause: string | null;
  /** Attempts that failed in a row. */
  readonly failures: number;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly updatedAt: number;
}

/** What somebody says of a webhook. */
export interface WebhookDraft {
  readonly name: string;
  readonly url: string;
  readonly format: WebhookFormat;
  readonly events: readonly string[];
  readonly models?: readonly string[] | null | undefined;
  readonly description?: string | null | undefined;
  /** Null or empty: deliveries are not signed. */
  readonly secret?: string | null | undefined;
  readonly status?: 'active' | 'disabled' | undefined;
}

/** What webhooks are kept with. */
export interface WebhookStoreOptions {
  readonly own: Kysely<WebhookTables>;
  readonly box: Pick<SecretBox, 'seal' | 'open'>;
  /** Says whether the box is that of all servers over the database. Default: there is one server. */
  readonly keys?: Pick<KeyAgreement, 'check'>;
  readonly allowed: AllowedHosts;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

const MOST = 500;
const PREVIOUS_SECRET_MS = 86_400_000;

/** Keeps webhooks. */
export class WebhookStore {
  readonly #options: WebhookStoreOptions;

  constructor(options: WebhookStoreOptions) {
    this.#options = options;
  }

  /** All webhooks, oldest first. */
  async list(): Promise<Webhook[]> {
    const rows = await this.#options.own
      .selectFrom('webhooks')
      .selectAll()
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    return rows.map(webhookOf);
  }

  /** Throws `not-found`. */
  async get(id: string): Promise<Webhook> {
    return webhookOf(await this.#row(id));
  }

  /** The secrets that a webhook's deliveries are signed with: its own first, then for a day the one before it. */
  async secretsOf(id: string): Promise<readonly string[]> {
    const { box, now } = this.#options;
    const { secret, previous_secret, previous_until } = await this.#row(id);
    const isTold = previous_secret !== null && Number(previous_until) > now().getTime();
    const sealed = [secret, ...(isTold ? [previous_secret] : [])].filter((each) => each !== null);
    return secret === null ? [] : sealed.map((each) => box.open(each, id));
  }

  /** @throws IngotError `invalid-request` for what can be no webhook. */
  async add(draft: WebhookDraft, actor: string): Promise<Webhook> {
    const { own, now, random } = this.#options;
    this.#check(draft);
    if ((await this.list()).length >= MOST) throw new IngotError('conflict', `there are ${MOST} webhooks already`);
    const id = Buffer.from(random(16)).toString('hex');
    const at = now().getTime();
    const row: WebhookRow = {
      id,
      name: draft.name,
      url: draft.url,
      format: draft.format,
      events: JSON.stringify(draft.events),
      models: draft.models == null ? null : JSON.stringify(draft.models),
      description: draft.description ?? null,
      secret: await this.#sealed(draft.secret, id),
      previous_secret: null,
      previous_until: null,
      status: draft.status ?? 'active',
      disabled_because: null,
      failures: 0,
      created_at: at,
      created_by: actor,
      updated_at: at,
    };
    await own.insertInto('webhooks').values(row).execute();
    return webhookOf(row);
  }

  /**
   * Changes what is given. A webhook that is made active again begins without failures; the secret before a new one goes on
   * to sign for a day.
   */
  async change(id: string, changes: Partial<WebhookDraft>): Promise<Webhook> {
    const { own, now } = this.#options;
    const row = await this.#row(id);
    const draft = { ...webhookOf(row), ...defined(changes) };
    this.#check(draft);
    const { models, secret, status } = changes;
    await own
      .updateTable('webhooks')
      .set({
        name: draft.name,
        url: draft.url,
        events: JSON.stringify(draft.events),
        description: draft.description,
        updated_at: now().getTime(),
        ...(models !== undefined && { models: models === null ? null : JSON.stringify(models) }),
        ...(secret !== undefined && {
          secret: await this.#sealed(secret, id),
          previous_secret: row.secret,
          previous_until: now().getTime() + PREVIOUS_SECRET_MS,
        }),
        ...(status !== undefined && { status, disabled_because: null, failures: 0 }),
      })
      .where('id', '=', id)
      .execute();
    return this.get(id);
  }

  /** Removes a webhook and the record of its deliveries. Throws `not-found`. */
  async remove(id: string): Promise<void> {
    const { own } = this.#options;
    await this.#row(id);
    await own.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('webhook_deliveries').where('webhook_id', '=', id).execute();
      await transaction.deleteFrom('webhooks').where('id', '=', id).execute();
    });
  }

  /** Counts an attempt that failed; after too many in a row, or when the other side wants no more, the webhook is disabled. */
  async failed(id: string, { most, because }: { readonly most: number; readonly because: string }): Promise<boolean> {
    const { own, now } = this.#options;
    await own
      .updateTable('webhooks')
      .set((set) => ({ failures: set('failures', '+', 1) }))
      .where('id', '=', id)
      .execute();
    const outcome = await own
      .updateTable('webhooks')
      .set({ status: 'disabled', disabled_because: because, updated_at: now().getTime() })
      .where('id', '=', id)
      .where('status', '=', 'active')
      .where('failures', '>=', most)
      .executeTakeFirst();
    return Number(outcome.numUpdatedRows) > 0;
  }

  async succeeded(id: string): Promise<void> {
    await this.#options.own
      .updateTable('webhooks')
      .set({ failures: 0 })
      .where('id', '=', id)
      .where('failures', '>', 0)
      .execute();
  }

  async #row(id: string): Promise<Selectable<WebhookRow>> {
    const row = await this.#options.own.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst();
    if (row !== undefined) return row;
    throw new IngotError('not-found', `Webhook with ID ${id.slice(0, 100)} not found.`);
  }

  #check({ url, events, format }: Pick<WebhookDraft, 'url' | 'events' | 'format'>): void {
    checkWebhookUrl(url, this.#options.allowed);
    if (events.length === 0) throw new IngotError('invalid-request', 'a webhook asks for at least one type of events');
    if (format === 'mlflow') return;
    const unknown = events.find((pattern) => !isEventPattern(pattern));
    if (unknown === undefined) return;
    const close = nearest(unknown, EVENT_TYPES);
    throw new IngotError('invalid-request', `there are no events "${unknown.slice(0, 100)}"`, {
      hint: `there are: ${EVENT_TYPES.join(', ')}; alias.* and * ask for several`,
      ...(close !== undefined && { nearest: close }),
    });
  }

  async #sealed(secret: string | null | undefined, id: string): Promise<string | null> {
    if (secret == null || secret === '') return null;
    await this.#options.keys?.check();
    return this.#options.box.seal(secret, id);
  }
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Partial<T>;
}

function webhookOf(row: Selectable<WebhookRow>): Webhook {
  const events: string[] = JSON.parse(row.events);
  const models: string[] | null = row.models === null ? null : JSON.parse(row.models);
  return {
    id: row.id,
    name: row.name,
    url: row.url,
    format: row.format === 'mlflow' ? 'mlflow' : 'cloudevents',
    events,
    models,
    description: row.description,
    hasSecret: row.secret !== null,
    status: row.status === 'active' ? 'active' : 'disabled',
    disabledBecause: row.disabled_because,
    failures: row.failures,
    createdAt: Number(row.created_at),
    createdBy: row.created_by,
    updatedAt: Number(row.updated_at),
  };
}

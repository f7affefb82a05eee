import { IngotError } from '@ingot/core/errors';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { DeliveryRow, WebhookTables } from './tables.ts';

/** One event on its way to one webhook, or the record of it. */
export type Delivery = Selectable<DeliveryRow>;

/** What a queue works with. */
export interface DeliveryQueueOptions {
  readonly own: Kysely<WebhookTables>;
  readonly kind: 'sqlite' | 'postgres';
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** An event for a webhook. */
export interface NewDelivery {
  readonly webhookId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly payload: string;
}

const LEASE_MS = 60_000;
const KEPT_MS = 7 * 86_400_000;
const KEPT_EACH = 1000;

/** The queue of deliveries, which lies in the database: servers share it, and none is lost when one of them ends. */
export class DeliveryQueue {
  readonly #options: DeliveryQueueOptions;

  constructor(options: DeliveryQueueOptions) {
    this.#options = options;
  }

  /** Adds deliveries; one that is there already, is not added again. */
  async add(deliveries: readonly NewDelivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    const { own, now, random } = this.#options;
    const at = now().getTime();
    const rows = deliveries.map(
      ({ webhookId, eventId, eventType, payload }): DeliveryRow => ({
        id: `${at.toString(36).padStart(9, '0')}${Buffer.from(random(8)).toString('hex')}`,
        webhook_id: webhookId,
        event_id: eventId,
        event_type: eventType,
        payload,
        state: 'waiting',
        attempts: 0,
        next_at: at,
        leased_until: 0,
        created_at: at,
        finished_at: null,
        status_code: null,
        error: null,
      }),
    );
    await own
      .insertInto('webhook_deliveries')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['webhook_id', 'event_id']).doNothing())
      .execute();
  }

  /** Takes deliveries that are due, of webhooks that are active; for a minute nobody else gets them. */
  async take(most: number): Promise<Delivery[]> {
    const { own, kind, now } = this.#options;
    const at = now().getTime();
    const due = own
      .selectFrom('webhook_deliveries')
      .innerJoin('webhooks', 'webhooks.id', 'webhook_deliveries.webhook_id')
      .select('webhook_deliveries.id')
      .where('webhook_deliveries.state', '=', 'waiting')
      .where('webhook_deliveries.next_at', '<=', at)
      .where('webhook_deliveries.leased_until', '<=', at)
      .where('webhooks.status', '=', 'active')
      .orderBy('webhook_deliveries.next_at')
      .limit(most);
    const chosen = kind === 'postgres' ? due.forUpdate('webhook_deliveries').skipLocked() : due;
    return own
      .updateTable('webhook_deliveries')
      .set((set) => ({ leased_until: at + LEASE_MS, attempts: set('attempts', '+', 1) }))
      .where('id', 'in', chosen)
      .returningAll()
      .execute();
  }

  /** Notes that a delivery has ended, or when it is tried again. */
  async settle(
    id: string,
    outcome: {
      readonly state: 'delivered' | 'failed' | 'waiting';
      readonly nextAt?: number;
      readonly statusCode: number | null;
      readonly error: string | null;
    },
  ): Promise<void> {
    const { own, now } = this.#options;
    const { state, nextAt, statusCode, error } = outcome;
    await own
      .updateTable('webhook_deliveries')
      .set({
        state,
        leased_until: 0,
        status_code: statusCode,
        error,
        ...(nextAt !== undefined && { next_at: nextAt }),
        ...(state !== 'waiting' && { finished_at: now().getTime() }),
      })
      .where('id', '=', id)
      .execute();
  }

  /** Deliveries of a webhook, newest first. */
  async log(webhookId: string, { limit, before }: { readonly limit: number; readonly before?: string | undefined }) {
    const rows = this.#options.own
      .selectFrom('webhook_deliveries')
      .selectAll()
      .where('webhook_id', '=', webhookId)
      .orderBy('id', 'desc')
      .limit(limit);
    return (before === undefined ? rows : rows.where('id', '<', before)).execute();
  }

  /** Sends a delivery again. Throws `not-found`. */
  async replay(webhookId: string, id: string): Promise<void> {
    const { own, now } = this.#options;
    const outcome = await own
      .updateTable('webhook_deliveries')
      .set({ state: 'waiting', attempts: 0, next_at: now().getTime(), leased_until: 0, finished_at: null })
      .where('id', '=', id)
      .where('webhook_id', '=', webhookId)
      .executeTakeFirst();
    if (Number(outcome.numUpdatedRows) === 0)
      throw new IngotError('not-found', `the webhook has no delivery ${id.slice(0, 60)}`);
  }

  /** How many deliveries wait. */
  async waiting(): Promise<number> {
    const row = await this.#options.own
      .selectFrom('webhook_deliveries')
      .select(({ fn }) => fn.countAll().as('count'))
      .where('state', '=', 'waiting')
      .executeTakeFirst();
    return Number(row?.count ?? 0);
  }

  /** Forgets records older than a week, and of each webhook all but the newest thousand. */
  async prune(): Promise<void> {
    const { own, now } = this.#options;
    await own
      .deleteFrom('webhook_deliveries')
      .where('state', '<>', 'waiting')
      .where('finished_at', '<', now().getTime() - KEPT_MS)
      .execute();
    await own
      .deleteFrom('webhook_deliveries')
      .where('state', '<>', 'waiting')
      .where(
        'id',
        'in',
        own
          .selectFrom(
            own
              .selectFrom('webhook_deliveries')
              .select(['id', sql<number>`row_number() over (partition by webhook_id order by id desc)`.as('place')])
              .where('state', '<>', 'waiting')
              .as('ranked'),
          )
          .select('ranked.id')
          .where('ranked.place', '>', KEPT_EACH),
      )
      .execute();
  }
}

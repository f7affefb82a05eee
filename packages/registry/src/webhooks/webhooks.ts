/**
 * A *webhook* is an address that is told what happens. What happened is read from the feed, *announced* to each webhook
 * that asks for it, and lies in the database as a *delivery* until the other side has taken it: so that none is lost with
 * a server, and each comes at least once. Deliveries are signed over id, time and body.
 */

import { createHmac } from 'node:crypto';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import type { Database } from '../database/database.ts';
import type { Feed, FeedEvent, FeedNews } from '../events/feed.ts';
import type { Log } from '../services.ts';
import { type Announcement, announcementOf, asksFor, cloudEventOf } from './cloud-event.ts';
import { type Delivery, DeliveryQueue, type NewDelivery } from './delivery-queue.ts';
import { type MlflowEvent, mlflowEventsOf } from './mlflow-event.ts';
import { AllowedHosts } from './private-addresses.ts';
import { KeyAgreement } from './key-agreement.ts';
import { openSecretBox } from './secret-box.ts';
import { type PostAnswer, send, type SendOptions } from './send.ts';
import { type Webhook, WebhookStore } from './webhook-store.ts';

/** What the room is opened with. */
export interface WebhooksOptions {
  readonly database: Database;
  readonly feed: Pick<Feed, 'subscribe' | 'now'>;
  /** Directory of the server's files: where the key of secrets lies. */
  readonly directory: string;
  /** Names, addresses and networks that may be called though they are private; `*`: all. Default: none. */
  readonly allowedHosts?: readonly string[];
  readonly log: Log;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** How webhooks are called. Default: the system's look-up of names, 10 seconds. */
  readonly sending?: Omit<SendOptions, 'allowed'>;
  /** Time between two looks for what is due. Default: 2,000. */
  readonly pollMs?: number;
}

/** What came of a test. */
export interface TestResult {
  readonly success: boolean;
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
}

/** Webhooks and their deliveries. Disposing it lets what is being sent end; what waits is sent by whoever starts next. */
export interface Webhooks extends AsyncDisposable {
  readonly store: WebhookStore;
  readonly queue: DeliveryQueue;
  /** Begins to listen to the feed and to send. */
  start(): Promise<void>;
  /** Tells webhooks of something that stands in no log: what runs where. */
  announce(announcement: Announcement): Promise<void>;
  /** Sends a test at once, and says what came of it. */
  test(webhook: Webhook, payload: JsonObject): Promise<TestResult>;
  /** Looks for what is due now. */
  wake(): void;
  /** To be called when a webhook was made or made active. */
  listen(): Promise<void>;
}

const CURSOR = 'feed';
const AT_ONCE = 8;
const POLL_MS = 2000;
const MOST_ATTEMPTS = 10;
const MOST_FAILURES = 50;
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 3_600_000;
const LONGEST_RETRY_AFTER_MS = 86_400_000;
const PRUNE_MS = 3_600_000;

/** Opens the room; nothing is sent before `start`. */
export async function openWebhooks(options: WebhooksOptions): Promise<Webhooks> {
  const box = await openSecretBox(options.directory, options.random);
  const allowed = new AllowedHosts(options.allowedHosts ?? []);
  const { own, kind } = options.database;
  const keys = new KeyAgreement({ own, box, log: options.log, now: options.now });
  await keys.begin();
  const store = new WebhookStore({ own, box, keys, allowed, now: options.now, random: options.random });
  const queue = new DeliveryQueue({ own, kind, now: options.now, random: options.random });
  const dispatcher = new Dispatcher(options, { store, queue, allowed });
  return {
    store,
    queue,
    start: () => dispatcher.start(),
    announce: (announcement) => dispatcher.announce(announcement),
    test: (webhook, payload) => dispatcher.test(webhook, payload),
    wake: () => dispatcher.wake(),
    listen: () => dispatcher.listen(),
    [Symbol.asyncDispose]: () => dispatcher.end(),
  };
}

interface Parts {
  readonly store: WebhookStore;
  readonly queue: DeliveryQueue;
  readonly allowed: AllowedHosts;
}

class Dispatcher {
  readonly #options: WebhooksOptions;
  readonly #parts: Parts;
  readonly #running = new Set<Promise<void>>();
  #news: FeedEvent[] = [];
  #reading: Promise<void> | undefined;
  #taking: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  #listening: Promise<void> | undefined;
  #prunedAt = 0;
  #hasEnded = false;

  constructor(options: WebhooksOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { database, pollMs = POLL_MS } = this.#options;
    const row = await database.own
      .selectFrom('webhook_cursors')
      .select('position')
      .where('name', '=', CURSOR)
      .executeTakeFirst();
    await this.listen(row?.position);
    this.#timer = setInterval(() => this.#poll(), pollMs).unref();
    this.wake();
  }

  /** Begins to listen to the feed once there is a webhook to tell: reading it costs something with every write. */
  async listen(after?: string): Promise<void> {
    const { feed } = this.#options;
    if (this.#unsubscribe !== undefined || this.#hasEnded) return;
    if (!(await this.#parts.store.list()).some(({ status }) => status === 'active')) return;
    this.#listening ??= feed
      .subscribe((news) => this.#heard(news), after)
      .then((unsubscribe) => {
        this.#unsubscribe = unsubscribe;
      })
      .finally(() => {
        this.#listening = undefined;
      });
    await this.#listening;
    if (after === undefined) await this.#keepPosition((await feed.now()).position);
  }

  #poll(): void {
    this.wake();
    // Another server may have made the first webhook.
    void this.listen().catch((error: unknown) => this.#options.log('warn', `webhooks wait: ${messageOf(error)}`));
  }

  async end(): Promise<void> {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    await this.#listening;
    this.#unsubscribe?.();
    await this.#reading;
    await this.#taking;
    await Promise.all(this.#running);
  }

  async announce(announcement: Announcement): Promise<void> {
    const payload = JSON.stringify(cloudEventOf(announcement));
    const asking = (await this.#parts.store.list()).filter(
      (webhook) => webhook.format === 'cloudevents' && wants(webhook, announcement.type, announcement.model),
    );
    await this.#parts.queue.add(
      asking.map(({ id }) => ({ webhookId: id, eventId: announcement.id, eventType: announcement.type, payload })),
    );
    if (asking.length > 0) this.wake();
  }

  async test(webhook: Webhook, payload: JsonObject): Promise<TestResult> {
    try {
      const id = `test-${Buffer.from(this.#options.random(12)).toString('hex')}`;
      const { status, text } = await this.#post(webhook, id, JSON.stringify(payload));
      const success = status >= 200 && status < 300;
      return { success, status, body: text, ...(!success && { error: `it answered with status ${status}` }) };
    } catch (error) {
      return { success: false, error: messageOf(error) };
    }
  }

  wake(): void {
    if (this.#hasEnded) return;
    this.#again = true;
    this.#taking ??= this.#takeOn().finally(() => {
      this.#taking = undefined;
    });
  }

  // --- from the feed into the queue

  #heard(news: FeedNews): void {
    if (news.kind === 'reset') {
      this.#options.log('warn', 'webhooks were away for too long: events since then are not told');
      return;
    }
    this.#news.push(news.event);
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = undefined;
    });
  }

  async #readOn(): Promise<void> {
    while (this.#news.length > 0) {
      const events = this.#news.slice(0, 200);
      try {
        const webhooks = (await this.#parts.store.list()).filter(({ status }) => status === 'active');
        const deliveries = events.flatMap((event) => webhooks.flatMap((webhook) => deliveriesOf(webhook, event)));
        await this.#parts.queue.add(deliveries);
        const last = events.at(-1)?.position;
        if (last !== undefined) await this.#keepPosition(last);
        this.#news = this.#news.slice(events.length);
        if (deliveries.length > 0) this.wake();
      } catch (error) {
        this.#options.log('warn', `events for webhooks wait for the database: ${messageOf(error)}`);
        if (this.#hasEnded) return; // They are read again from the position that was kept.
        await new Promise((resolve) => setTimeout(resolve, 1000).unref());
      }
    }
  }

  async #keepPosition(position: string): Promise<void> {
    await this.#options.database.own
      .insertInto('webhook_cursors')
      .values({ name: CURSOR, position })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ position }))
      .execute();
  }

  // --- from the queue to the webhooks

  async #takeOn(): Promise<void> {
    while (this.#again && !this.#hasEnded) {
      this.#again = false;
      try {
        await this.#prune();
        for (
          let free = AT_ONCE - this.#running.size;
          free > 0 && !this.#hasEnded;
          free = AT_ONCE - this.#running.size
        ) {
          const deliveries = await this.#parts.queue.take(free);
          for (const delivery of deliveries) this.#begin(delivery);
          if (deliveries.length === 0) break;
        }
      } catch (error) {
        this.#options.log('warn', `webhooks wait for the database: ${messageOf(error)}`);
      }
    }
  }

  #begin(delivery: Delivery): void {
    const running = this.#deliver(delivery)
      .catch((error: unknown) => this.#options.log('warn', `a delivery could not be noted: ${messageOf(error)}`))
      .finally(() => {
        this.#running.delete(running);
        this.wake();
      });
    this.#running.add(running);
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { store, queue } = this.#parts;
    const webhook = await store.get(delivery.webhook_id);
    const answer = await this.#post(webhook, delivery.id, delivery.payload).catch((error: unknown) =>
      isIngotError(error) ? error : new IngotError('unavailable', String(error), { retryable: true }),
    );
    if (!(answer instanceof IngotError) && answer.status >= 200 && answer.status < 300) {
      await queue.settle(delivery.id, { state: 'delivered', statusCode: answer.status, error: null });
      await store.succeeded(webhook.id);
      return;
    }
    await this.#failed(webhook, delivery, answer);
  }

  async #failed(webhook: Webhook, delivery: Delivery, answer: PostAnswer | IngotError): Promise<void> {
    const { store, queue } = this.#parts;
    const { log, now } = this.#options;
    const statusCode = answer instanceof IngotError ? null : answer.status;
    const error = answer instanceof IngotError ? answer.message : `it answered with status ${answer.status}`;
    const isGone = statusCode === 410;
    const isLast = isGone || delivery.attempts >= MOST_ATTEMPTS;
    const nextAt = now().getTime() + this.#waitMs(delivery.attempts, answer);
    await queue.settle(delivery.id, {
      state: isLast ? 'failed' : 'waiting',
      nextAt,
      statusCode,
      error: error.slice(0, 500),
    });
    const because = isGone
      ? 'it answered 410 Gone'
      : `${MOST_FAILURES} attempts failed in a row; the last: ${error.slice(0, 300)}`;
    if (await store.failed(webhook.id, { most: isGone ? 1 : MOST_FAILURES, because }))
      log('warn', `webhook "${webhook.name}" is disabled: ${because}`, { webhook: webhook.id });
  }

  #waitMs(attempts: number, answer: PostAnswer | IngotError): number {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, attempts - 1));
    const [jitter = 0] = this.#options.random(1);
    // Whole, because Postgres takes no fraction of a millisecond for a time.
    const own = Math.ceil(longest * (0.5 + jitter / 512));
    if (answer instanceof IngotError || answer.retryAfter === undefined) return own;
    return Math.max(own, Math.ceil(retryAfterMs(answer.retryAfter, this.#options.now())));
  }

  async #post(webhook: Webhook, id: string, body: string): Promise<PostAnswer> {
    const secrets = webhook.hasSecret ? await this.#parts.store.secretsOf(webhook.id) : [];
    const time = String(Math.floor(this.#options.now().getTime() / 1000));
    const headers = { 'user-agent': 'ingot-webhooks/1', ...headersOf(webhook, { id, time, body, secrets }) };
    return send({ url: webhook.url, headers, body }, { ...this.#options.sending, allowed: this.#parts.allowed });
  }

  async #prune(): Promise<void> {
    const at = this.#options.now().getTime();
    if (at - this.#prunedAt < PRUNE_MS) return;
    this.#prunedAt = at;
    await this.#parts.queue.prune();
  }
}

function deliveriesOf(webhook: Webhook, event: FeedEvent): NewDelivery[] {
  if (webhook.format === 'mlflow') return mlflowDeliveries(webhook, event);
  const announcement = announcementOf(event);
  if (announcement === undefined || !wants(webhook, announcement.type, event.model)) return [];
  const { id, type } = announcement;
  return [{ webhookId: webhook.id, eventId: id, eventType: type, payload: JSON.stringify(cloudEventOf(announcement)) }];
}

function mlflowDeliveries(webhook: Webhook, event: FeedEvent): NewDelivery[] {
  return mlflowEventsOf(event)
    .filter(({ entity, action }) => webhook.events.includes(`${entity}.${action}`))
    .map((told) => ({
      webhookId: webhook.id,
      eventId: `${event.log}:${event.seq}${told.part === '' ? '' : `:${told.part}`}`,
      eventType: `${told.entity}.${told.action}`,
      payload: JSON.stringify(mlflowPayload(told, event.at)),
    }));
}

/** The body of a delivery in MLflow's form. */
export function mlflowPayload({ entity, action, data }: Omit<MlflowEvent, 'part'>, at: string): JsonObject {
  return { entity, action, timestamp: at.replace('Z', '+00:00'), data };
}

function wants({ events, models, status }: Webhook, type: string, model: string | null): boolean {
  if (status !== 'active' || !asksFor(events, type)) return false;
  if (models === null) return true;
  return model !== null && models.some((each) => each === model || (each.endsWith('/') && model.startsWith(each)));
}

interface Signed {
  readonly id: string;
  /** Seconds since 1970. */
  readonly time: string;
  readonly body: string;
}

function headersOf(
  { format }: Webhook,
  signed: Signed & { readonly secrets: readonly string[] },
): Record<string, string> {
  const { id, time, secrets } = signed;
  const signatures = secrets.map((secret) => signatureOf({ ...signed, secret }));
  const [first] = signatures;
  if (format === 'mlflow')
    return {
      'content-type': 'application/json',
      'x-mlflow-delivery-id': id,
      'x-mlflow-timestamp': time,
      // Receivers of MLflow compare the whole header.
      ...(first !== undefined && { 'x-mlflow-signature': first }),
    };
  return {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'webhook-id': id,
    'webhook-timestamp': time,
    ...(first !== undefined && { 'webhook-signature': signatures.join(' ') }),
  };
}

/** Signs a delivery: HMAC-SHA256 over `id.time.body`, as `v1,<base64>`. */
export function signatureOf({ id, time, body, secret }: Signed & { readonly secret: string }): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${time}.${body}`).digest('base64')}`;
}

function retryAfterMs(text: string, now: Date): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds), LONGEST_RETRY_AFTER_MS) : 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

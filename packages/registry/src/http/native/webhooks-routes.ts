import { parseModelName } from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cloudEventOf, EVENT_TYPES } from '../../webhooks/cloud-event.ts';
import { mlflowExample } from '../../webhooks/mlflow-event.ts';
import type { Delivery } from '../../webhooks/delivery-queue.ts';
import type { Webhook } from '../../webhooks/webhook-store.ts';
import { mlflowPayload, type Webhooks } from '../../webhooks/webhooks.ts';
import type { Services } from '../../services.ts';
import { originOf } from '../gate.ts';
import { actorOf } from './actor.ts';
import type { NativeApp, NativeRoutes } from './native-api.ts';
import { cursorOf, PageQuery, pageOf, textCursor } from './paging.ts';
import { problems, READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';

const Name = z.string().min(1).max(200);
const Models = z.array(z.string().min(1).max(200)).min(1).max(200).nullable();
const Events = z
  .array(z.string().min(1).max(100))
  .min(1)
  .max(100)
  .describe(`${EVENT_TYPES.join(', ')}; \`alias.*\`, \`*\``);
const Secret = z.string().max(1000).nullable().describe('Signs deliveries; never told again.');
const Status = z.enum(['active', 'disabled']);
const Draft = z.strictObject({
  name: Name,
  url: z.string().min(1).max(2000),
  events: Events,
  models: Models.optional().describe('Names, or `team/` for a namespace; null: all.'),
  description: z.string().max(2000).nullable().optional(),
  secret: Secret.optional(),
  status: Status.optional(),
});
const Changes = Draft.partial();
const WebhookRecord = z.object({
  id: z.string(),
  name: z.string(),
  url: z.string(),
  format: z.enum(['cloudevents', 'mlflow']),
  events: z.array(z.string()).readonly(),
  models: z.array(z.string()).readonly().nullable(),
  description: z.string().nullable(),
  hasSecret: z.boolean(),
  status: Status,
  disabledBecause: z.string().nullable(),
  failures: z.number().int().describe('Attempts that failed in a row.'),
  createdAt: z.string(),
  createdBy: z.string(),
  updatedAt: z.string(),
});
const DeliveryRecord = z.object({
  id: z.string(),
  eventId: z.string(),
  eventType: z.string(),
  state: z.string().describe('`waiting`, `delivered`, `failed`.'),
  attempts: z.number().int(),
  createdAt: z.string(),
  nextAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  statusCode: z.number().int().nullable(),
  error: z.string().nullable(),
  payload: z.unknown(),
});
const One = z.object({ id: z.string().min(1).max(100) });
const OneDelivery = One.extend({ delivery: z.string().min(1).max(100) });
const Done = z.undefined().describe('Done.');
const admins = { access: { can: 'admin' } } as const;

/** Routes of webhooks. */
export function webhookRoutes(webhooks: Webhooks): NativeRoutes {
  return (app, services) => {
    reading(app, webhooks);
    writing(app, webhooks, services);
    delivering(app, webhooks, services);
  };
}

function reading(app: NativeApp, { store }: Webhooks): void {
  app.get(
    '/webhooks',
    {
      config: admins,
      schema: {
        operationId: 'listWebhooks',
        tags: ['webhooks'],
        summary: 'Lists webhooks, never their secrets.',
        response: { 200: z.object({ items: z.array(WebhookRecord) }), ...problems() },
      },
    },
    async () => ({ items: (await store.list()).map(webhookRecord) }),
  );
  app.get(
    '/webhooks/:id',
    {
      config: admins,
      schema: {
        operationId: 'getWebhook',
        tags: ['webhooks'],
        summary: 'Says all that is known of a webhook, but its secret.',
        params: One,
        response: { 200: WebhookRecord, ...READ_PROBLEMS },
      },
    },
    async ({ params }) => webhookRecord(await store.get(params.id)),
  );
}

function writing(app: NativeApp, webhooks: Webhooks, { audit }: Services): void {
  const { store } = webhooks;
  const noted = (request: FastifyRequest, what: string, { id, name, url }: Webhook): void =>
    audit?.accessLog.record({
      kind: 'webhook-changed',
      actor: actorOf(request),
      origin: originOf(request),
      details: { id, name, url, what },
    });
  app.post(
    '/webhooks',
    {
      config: { ...admins, idempotency: false },
      schema: {
        operationId: 'createWebhook',
        tags: ['webhooks'],
        summary: 'Makes a webhook: an address that is told what happens.',
        body: Draft,
        response: { 201: WebhookRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      checkModels(request.body.models);
      const webhook = await store.add({ ...request.body, format: 'cloudevents' }, actorOf(request));
      await webhooks.listen();
      noted(request, 'made', webhook);
      return reply.status(201).send(webhookRecord(webhook));
    },
  );
  app.patch(
    '/webhooks/:id',
    {
      config: { ...admins, idempotency: false },
      schema: {
        operationId: 'updateWebhook',
        tags: ['webhooks'],
        summary: 'Changes a webhook; `status: active` also ends that the server disabled it.',
        params: One,
        body: Changes,
        response: { 200: WebhookRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request) => {
      checkModels(request.body.models);
      const webhook = await store.change(request.params.id, request.body);
      await webhooks.listen();
      webhooks.wake();
      noted(request, 'changed', webhook);
      return webhookRecord(webhook);
    },
  );
  app.delete(
    '/webhooks/:id',
    {
      config: admins,
      schema: {
        operationId: 'deleteWebhook',
        tags: ['webhooks'],
        summary: 'Removes a webhook and the record of its deliveries.',
        params: One,
        response: { 204: Done, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const webhook = await store.get(request.params.id);
      await store.remove(webhook.id);
      noted(request, 'removed', webhook);
      return reply.status(204).send();
    },
  );
}

function delivering(app: NativeApp, webhooks: Webhooks, { now }: Services): void {
  const { store, queue } = webhooks;
  app.post(
    '/webhooks/:id/test',
    {
      config: { ...admins, idempotency: false },
      schema: {
        operationId: 'testWebhook',
        tags: ['webhooks'],
        summary: 'Sends a ping at once, and says what came of it.',
        params: One,
        response: {
          200: z.object({
            success: z.boolean(),
            status: z.number().int().optional(),
            body: z.string().optional(),
            error: z.string().optional(),
          }),
          ...WRITE_PROBLEMS,
        },
      },
    },
    async ({ params }) => {
      const webhook = await store.get(params.id);
      return webhooks.test(webhook, pingOf(webhook, now()));
    },
  );
  app.get(
    '/webhooks/:id/deliveries',
    {
      config: admins,
      schema: {
        operationId: 'listDeliveries',
        tags: ['webhooks'],
        summary: 'Lists deliveries to a webhook, newest first; records stay for a week.',
        params: One,
        querystring: PageQuery,
        response: { 200: pageOf(DeliveryRecord), ...READ_PROBLEMS },
      },
    },
    async ({ params, query: { limit, cursor } }) => {
      await store.get(params.id);
      const rows = await queue.log(params.id, { limit: limit + 1, before: textCursor('deliveries', cursor) });
      const items = rows.slice(0, limit).map(deliveryRecord);
      const last = items.at(-1);
      return rows.length > limit && last !== undefined ? { items, next: cursorOf('deliveries', last.id) } : { items };
    },
  );
  app.post(
    '/webhooks/:id/deliveries/:delivery/replay',
    {
      config: admins,
      schema: {
        operationId: 'replayDelivery',
        tags: ['webhooks'],
        summary: 'Sends a delivery again, with its id and a new signature.',
        params: OneDelivery,
        response: { 202: z.undefined().describe('It is sent soon.'), ...WRITE_PROBLEMS },
      },
    },
    async ({ params }, reply) => {
      await queue.replay(params.id, params.delivery);
      webhooks.wake();
      return reply.status(202).send();
    },
  );
}

function checkModels(models: readonly string[] | null | undefined): void {
  for (const model of models ?? []) parseModelName(model.endsWith('/') ? `${model}any` : model);
}

function pingOf(webhook: Webhook, now: Date) {
  const at = now.toISOString();
  const [entity = 'model_version', action = 'created'] = webhook.events[0]?.split('.') ?? [];
  if (webhook.format === 'mlflow') return mlflowPayload({ entity, action, data: mlflowExample(entity, action) }, at);
  const id = `ping-${webhook.id}-${now.getTime()}`;
  const data = { webhook: webhook.name };
  return { ...cloudEventOf({ type: 'ping', id, model: null, subject: `webhooks/${webhook.id}`, at, data }) };
}

function webhookRecord(webhook: Webhook): z.output<typeof WebhookRecord> {
  const { createdAt, updatedAt } = webhook;
  return { ...webhook, createdAt: textOf(createdAt), updatedAt: textOf(updatedAt) };
}

function deliveryRecord(row: Delivery): z.output<typeof DeliveryRecord> {
  const { id, event_id, event_type, state, attempts, created_at, next_at, finished_at, status_code, error, payload } =
    row;
  return {
    id,
    eventId: event_id,
    eventType: event_type,
    state,
    attempts,
    createdAt: textOf(created_at),
    nextAt: state === 'waiting' ? textOf(next_at) : null,
    finishedAt: finished_at === null ? null : textOf(finished_at),
    statusCode: status_code,
    error,
    payload: JSON.parse(payload),
  };
}

function textOf(ms: number): string {
  return new Date(Number(ms)).toISOString();
}

import { IngotError } from '@ingot/core/errors';
import { MLFLOW_ACTIONS, mlflowExample } from '../../webhooks/mlflow-event.ts';
import type { Webhook } from '../../webhooks/webhook-store.ts';
import { mlflowPayload, type Webhooks } from '../../webhooks/webhooks.ts';
import type { Services } from '../../services.ts';
import type { Fields } from './fields.ts';
import type { MlflowRoute } from './mlflow-route.ts';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const STATUSES = ['ACTIVE', 'DISABLED'] as const;
const ENTITIES = [
  'REGISTERED_MODEL',
  'MODEL_VERSION',
  'MODEL_VERSION_TAG',
  'MODEL_VERSION_ALIAS',
  'PROMPT',
  'PROMPT_VERSION',
  'PROMPT_TAG',
  'PROMPT_VERSION_TAG',
  'PROMPT_ALIAS',
  'BUDGET_POLICY',
] as const;
const ACTIONS = ['CREATED', 'UPDATED', 'DELETED', 'SET', 'EXCEEDED'] as const;
const PAGE = 100;
const MOST = 1000;
const admins = { can: 'admin' } as const;

/** Routes of webhooks as clients of MLflow call them; they see those that were made by them. */
export const WEBHOOK_ROUTES: readonly MlflowRoute[] = [
  {
    method: 'POST',
    path: '/webhooks',
    access: admins,
    run: async ({ fields, identity }, services) => {
      const webhooks = roomOf(services);
      const draft = {
        name: nameOf(fields.text('name')),
        url: fields.text('url'),
        events: eventsOf(fields),
        format: 'mlflow' as const,
        description: fields.optional('description') ?? null,
        secret: fields.optional('secret') ?? null,
        status: statusOf(fields) ?? ('active' as const),
      };
      const webhook = await webhooks.store.add(draft, identity.name);
      await webhooks.listen();
      return { webhook: webhookJson(webhook) };
    },
  },
  {
    method: 'GET',
    path: '/webhooks',
    access: admins,
    run: async ({ fields }, services) => {
      const all = (await roomOf(services).store.list()).filter(({ format }) => format === 'mlflow');
      const size = fields.optionalInteger('max_results') ?? PAGE;
      if (size < 1 || size > MOST)
        throw new IngotError('usage', `Invalid value ${size} for parameter 'max_results': it is from 1 to ${MOST}.`);
      const from = placeAfter(all, fields.optional('page_token'));
      const items = all.slice(from, from + size);
      const last = items.at(-1);
      const token = from + size < all.length && last !== undefined ? tokenOf(last) : undefined;
      return { ...(items.length > 0 && { webhooks: items.map(webhookJson) }), next_page_token: token };
    },
  },
  {
    method: 'GET',
    path: '/webhooks/:webhook_id',
    access: admins,
    run: async ({ path }, services) => ({ webhook: webhookJson(await oneOf(services, path)) }),
  },
  {
    method: 'PATCH',
    path: '/webhooks/:webhook_id',
    access: admins,
    run: async ({ fields, path }, services) => {
      const { id } = await oneOf(services, path);
      const webhooks = roomOf(services);
      const name = fields.optional('name');
      const webhook = await webhooks.store.change(id, {
        ...(name !== undefined && { name: nameOf(name) }),
        url: fields.optional('url'),
        ...(fields.messages('events').length > 0 && { events: eventsOf(fields) }),
        description: fields.optional('description'),
        secret: fields.optional('secret'),
        status: statusOf(fields),
      });
      await webhooks.listen();
      return { webhook: webhookJson(webhook) };
    },
  },
  {
    method: 'DELETE',
    path: '/webhooks/:webhook_id',
    access: admins,
    run: async ({ path }, services) => {
      const { id } = await oneOf(services, path);
      await roomOf(services).store.remove(id);
      return {};
    },
  },
  {
    method: 'POST',
    path: '/webhooks/:webhook_id/test',
    access: admins,
    run: async ({ fields, path }, services) => {
      const webhook = await oneOf(services, path);
      const asked = fields.has('event') ? eventOf(fields.message('event')) : webhook.events[0];
      const [entity = '', action = ''] = asked?.split('.') ?? [];
      const payload = mlflowPayload(
        { entity, action, data: mlflowExample(entity, action) },
        services.now().toISOString(),
      );
      const { success, status, body, error } = await roomOf(services).test(webhook, payload);
      return { result: { success, response_status: status, response_body: body, error_message: error } };
    },
  },
];

function roomOf({ webhooks }: Services): Webhooks {
  if (webhooks !== undefined) return webhooks;
  throw new IngotError('not-found', 'this server has no webhooks');
}

async function oneOf(services: Services, path: Fields): Promise<Webhook> {
  const id = path.text('webhook_id');
  const webhook = await roomOf(services).store.get(id);
  if (webhook.format === 'mlflow') return webhook;
  throw new IngotError('not-found', `Webhook with ID ${id.slice(0, 100)} not found.`);
}

function nameOf(name: string): string {
  if (NAME.test(name)) return name;
  throw new IngotError(
    'usage',
    `Webhook name must start and end with a letter or digit, have 1 to 63 characters, and consist of letters, digits, '.', '_' and '-'. Got '${name.slice(0, 100)}'.`,
  );
}

function statusOf(fields: Fields): 'active' | 'disabled' | undefined {
  const status = fields.choice('status', STATUSES);
  return status === undefined ? undefined : status === 'ACTIVE' ? 'active' : 'disabled';
}

function eventsOf(fields: Fields): string[] {
  const events = fields.messages('events').map(eventOf);
  if (events.length === 0) throw new IngotError('usage', 'Webhook events cannot be empty');
  return [...new Set(events)];
}

function eventOf(fields: Fields): string {
  const entity = fields.choice('entity', ENTITIES)?.toLowerCase() ?? '';
  const action = fields.choice('action', ACTIONS)?.toLowerCase() ?? '';
  const valid = MLFLOW_ACTIONS[entity] ?? [];
  if (valid.includes(action)) return `${entity}.${action}`;
  throw new IngotError(
    'usage',
    `Invalid action '${action}' for entity '${entity}'. Valid actions are: [${valid.map((each) => `'${each}'`).join(', ')}]`,
  );
}

function webhookJson(webhook: Webhook) {
  const { id, name, url, events, description, status, createdAt, updatedAt } = webhook;
  return {
    webhook_id: id,
    name,
    url,
    events: events.map((event) => {
      const [entity = '', action = ''] = event.toUpperCase().split('.');
      return { entity, action };
    }),
    ...(description !== null && { description }),
    status: status === 'active' ? 'ACTIVE' : 'DISABLED',
    creation_timestamp: createdAt,
    last_updated_timestamp: updatedAt,
  };
}

function tokenOf({ id }: Webhook): string {
  return Buffer.from(`webhook:${id}`).toString('base64url');
}

function placeAfter(all: readonly Webhook[], token: string | undefined): number {
  if (token === undefined || token === '') return 0;
  const at = all.findIndex((webhook) => tokenOf(webhook) === token);
  if (at >= 0) return at + 1;
  throw new IngotError('usage', 'Invalid page token');
}

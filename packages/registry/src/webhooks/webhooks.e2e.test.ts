import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '@ingot/core/digest';
import { parseModelName } from '@ingot/core/ref';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { mlflowApiOver } from '../http/mlflow/mlflow-api.ts';
import { deploymentRoutes } from '../http/native/deployments-routes.ts';
import { nativeApi } from '../http/native/native-api.ts';
import { NATIVE_ROUTES } from '../http/native/native-routes.ts';
import { webhookRoutes } from '../http/native/webhooks-routes.ts';
import { type TrialApp, trialApp } from '../http/testing/registry-app.ts';
import { Deployments } from '../deployments/deployments.ts';
import type { Services } from '../services.ts';
import { announceDeployments } from './announce-deployments.ts';
import { openWebhooks, signatureOf, type Webhooks } from './webhooks.ts';

interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const CHURN = parseModelName('churn');
let directory: string;
let trial: TrialApp;
let webhooks: Webhooks;
let hook: Server;
let url: string;
let heard: Heard[];
/** What the other side answers, in order; then 200. */
let answers: { readonly status: number; readonly headers?: Record<string, string> }[];
let clockMs: number;

const now = (): Date => new Date(clockMs);
const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
const opened = (services: Services) =>
  openWebhooks({ ...services, directory, allowedHosts: ['127.0.0.1'], random, now, pollMs: 20 });

beforeEach(async () => {
  clockMs = Date.parse('2026-12-01T00:00:00Z');
  heard = [];
  answers = [];
  directory = await mkdtemp(join(tmpdir(), 'ingot-webhooks-'));
  hook = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      heard.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      const { status, headers = {} } = answers.shift() ?? { status: 200 };
      reply.writeHead(status, headers).end('thanks');
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const address = hook.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/hook`;
  trial = await trialApp({
    protocols: [
      async (app, services) => {
        webhooks = await opened(services);
        const all = { ...services, webhooks };
        const deployments = new Deployments({ database: services.database, now });
        announceDeployments(deployments, webhooks, services.log);
        await nativeApi([...NATIVE_ROUTES, webhookRoutes(webhooks), deploymentRoutes(deployments)])(app, all);
        const artifacts = {
          abilities: { multipartUploads: false, multipartDownloads: false, presignedUploads: false },
          packageOf: () => Promise.reject(new Error('none here')),
          loggedModelReady: () => Promise.resolve(undefined),
          addressOf: () => 'models:/churn/1',
        };
        await mlflowApiOver(artifacts)(app, all);
      },
    ],
  });
  await webhooks.start();
});

afterEach(async () => {
  await webhooks[Symbol.asyncDispose]();
  await trial[Symbol.asyncDispose]();
  await new Promise((resolve) => hook.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

async function ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) {
  const answer = await trial.app.inject({ method, url: path, ...(payload && { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() };
}

const add = (more: object = {}) =>
  ask('POST', '/api/v1/webhooks', { name: 'ci', url, events: ['*'], secret: 's3', ...more });

async function publish(content: string, tags?: Record<string, string>) {
  const manifest = digestOf(content);
  const recipe = { digest: manifest, pack: 'none/0', offset: 0, length: 1 };
  const draft = { manifest, recipe, sizeBytes: 1, fileCount: 1, flavor: 'file', scan: 'not scanned' as const };
  await trial.services.registry.publish(CHURN, { ...draft, ...(tags && { tags }) });
}

const told = (count: number) => vi.waitFor(() => expect(heard).toHaveLength(count), { timeout: 5000, interval: 10 });

test('what happens is told as signed CloudEvents, to whom asks for it, and never the secret', async () => {
  const { body } = await add({ events: ['alias.*', 'version.published'], models: ['churn'] });
  await trial.services.registry.ensureModel(CHURN);
  await publish('a');
  await trial.services.registry.setAlias(CHURN, 'production', 1, { actor: 'ana', reason: 'good' });
  await told(2);
  const [published, moved] = heard.map(({ body: text }) => JSON.parse(text)).sort((a, b) => (a.type > b.type ? -1 : 1));
  expect(published).toMatchObject({ type: 'dev.ingot.version.published', subject: 'models/churn/versions/1' });
  expect(moved).toMatchObject({
    specversion: '1.0',
    type: 'dev.ingot.alias.moved',
    source: '/ingot/registry',
    datacontenttype: 'application/json',
    data: { model: 'churn', alias: 'production', from: null, number: 1, actor: 'ana', reason: 'good' },
  });
  for (const { headers, body: text } of heard) {
    const [id, time] = [String(headers['webhook-id']), String(headers['webhook-timestamp'])];
    expect(headers['webhook-signature']).toBe(signatureOf({ id, time, body: text, secret: 's3' }));
    expect(headers['content-type']).toContain('application/cloudevents+json');
  }
  expect(JSON.stringify([body, await ask('GET', '/api/v1/webhooks')])).not.toContain('s3');
  const file = await readFile(join(trial.services.database.address, 'server.sqlite'));
  const wal = await readFile(join(trial.services.database.address, 'server.sqlite-wal')).catch(() => Buffer.alloc(0));
  expect(Buffer.concat([file, wal]).includes('"s3"')).toBe(false);
});

test('a new secret signs at once, and for a day the one before it, too', async () => {
  const { body } = await add();
  await ask('PATCH', `/api/v1/webhooks/${body.id}`, { secret: 's4' });
  const signatures = async () => {
    await ask('POST', `/api/v1/webhooks/${body.id}/test`);
    const { headers, body: text } = heard.at(-1) ?? { headers: {}, body: '' };
    const [id, time] = [String(headers['webhook-id']), String(headers['webhook-timestamp'])];
    const by = (secret: string) => signatureOf({ id, time, body: text, secret });
    return { told: headers['webhook-signature'], both: `${by('s4')} ${by('s3')}`, one: by('s4') };
  };
  const before = await signatures();
  expect(before.told).toBe(before.both);
  clockMs += 86_400_000;
  const after = await signatures();
  expect(after.told).toBe(after.one);
  await ask('PATCH', `/api/v1/webhooks/${body.id}`, { secret: null });
  expect((await signatures()).told).toBeUndefined();
});

test('a delivery that fails comes again, later each time, and not before Retry-After', async () => {
  answers = [{ status: 500 }, { status: 503, headers: { 'retry-after': '600' } }];
  const { body } = await add();
  await trial.services.registry.ensureModel(CHURN);
  await told(1);
  const log = async () => (await ask('GET', `/api/v1/webhooks/${body.id}/deliveries`)).body.items[0];
  await vi.waitFor(async () => expect((await log()).statusCode).toBe(500));
  const { own } = trial.services.database;
  const [row] = await own.selectFrom('webhook_deliveries').select('next_at').execute();
  expect(Number.isInteger(row?.next_at), 'a time that every database takes').toBe(true);
  clockMs += 1000;
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(heard).toHaveLength(1);
  clockMs += 5000;
  await told(2);
  await vi.waitFor(async () => expect((await log()).statusCode).toBe(503));
  const waitMs = Date.parse((await log()).nextAt) - clockMs;
  expect(waitMs).toBeGreaterThanOrEqual(599_000);
  clockMs += 601_000;
  await told(3);
  await vi.waitFor(async () => expect(await log()).toMatchObject({ state: 'delivered', attempts: 3, statusCode: 200 }));
  expect(new Set(heard.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const times = heard.map(({ headers }) => Number(headers['webhook-timestamp']));
  expect(new Set(times).size).toBe(3);
  await ask('POST', `/api/v1/webhooks/${body.id}/deliveries/${(await log()).id}/replay`);
  await told(4);
});

test('a webhook that is gone, or fails for too long, is disabled with the reason', async () => {
  answers = [{ status: 410 }];
  const { body } = await add();
  await trial.services.registry.ensureModel(CHURN);
  const state = async () => (await ask('GET', `/api/v1/webhooks/${body.id}`)).body;
  await vi.waitFor(async () =>
    expect(await state()).toMatchObject({ status: 'disabled', disabledBecause: 'it answered 410 Gone' }),
  );
  await publish('a');
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(heard).toHaveLength(1);
  expect((await ask('PATCH', `/api/v1/webhooks/${body.id}`, { status: 'active' })).body).toMatchObject({
    failures: 0,
    disabledBecause: null,
  });
  await publish('b');
  await told(2);
});

test('redirects are answers like others, and are not followed', async () => {
  answers = [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }];
  const { body } = await add();
  const tested = await ask('POST', `/api/v1/webhooks/${body.id}/test`);
  expect(tested.body).toMatchObject({ success: false, status: 302 });
  expect((await ask('POST', `/api/v1/webhooks/${body.id}/test`)).body).toMatchObject({
    success: true,
    status: 200,
    body: 'thanks',
  });
  expect(JSON.parse(heard[1]?.body ?? '')).toMatchObject({ type: 'dev.ingot.ping', data: { webhook: 'ci' } });
});

test('what happened while no server ran is told by the next, each event once though two servers run', async () => {
  await add();
  await trial.services.registry.ensureModel(CHURN);
  await told(1);
  await webhooks[Symbol.asyncDispose]();
  await publish('a');
  await publish('b');
  const others = await Promise.all([opened(trial.services), opened(trial.services)]);
  for (const other of others) await other.start();
  await told(3);
  await publish('c');
  await told(4);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(new Set(heard.map(({ body }) => JSON.parse(body).id)).size).toBe(4);
  expect(heard).toHaveLength(4);
  for (const other of others) await other[Symbol.asyncDispose]();
});

test('clients of MLflow make webhooks that get its payloads and its signature', async () => {
  const base = '/api/2.0/mlflow/webhooks';
  const events = [
    { entity: 'MODEL_VERSION', action: 'CREATED' },
    { entity: 'MODEL_VERSION_TAG', action: 'SET' },
  ];
  const made = await ask('POST', base, { name: 'hook-1', url, events, secret: 'k', status: 'ACTIVE' });
  expect(made.body.webhook).toMatchObject({ name: 'hook-1', events, status: 'ACTIVE' });
  expect(made.body.webhook.secret).toBeUndefined();
  await trial.services.registry.ensureModel(CHURN);
  await publish('a', { team: 'growth' });
  await trial.services.registry.update(
    { name: CHURN, selector: { kind: 'version', number: 1 } },
    { tags: { a: '1', b: '2' } },
  );
  await told(3);
  const version = heard.map(({ body }) => JSON.parse(body)).find(({ entity }) => entity === 'model_version');
  expect(version).toMatchObject({
    action: 'created',
    data: { name: 'churn', version: '1', source: 'models:/churn/1', run_id: null, tags: { team: 'growth' } },
  });
  for (const { headers, body } of heard) {
    const [id, time] = [String(headers['x-mlflow-delivery-id']), String(headers['x-mlflow-timestamp'])];
    expect(headers['x-mlflow-signature']).toBe(signatureOf({ id, time, body, secret: 'k' }));
  }
  const id = made.body.webhook.webhook_id;
  expect((await ask('POST', `${base}/${id}/test`, { event: events[1] })).body.result).toMatchObject({
    success: true,
    response_status: 200,
  });
  expect((await ask('GET', `${base}?max_results=10`)).body.webhooks).toHaveLength(1);
  const wrong = await ask('POST', base, { name: 'hook-2', url, events: [{ entity: 'MODEL_VERSION', action: 'SET' }] });
  expect(wrong.body.message).toContain("Valid actions are: ['created']");
  const missing = await ask('GET', `${base}/zzz`);
  expect([missing.status, missing.body.message]).toEqual([404, 'Webhook with ID zzz not found.']);
  expect((await ask('PATCH', `${base}/${id}`, { status: 'DISABLED' })).body.webhook.status).toBe('DISABLED');
  expect((await ask('DELETE', `${base}/${id}`)).status).toBe(200);
  expect((await ask('POST', base, { name: '-x', url, events })).status).toBe(400);
});

test('private addresses are refused in every spelling', async () => {
  for (const address of [
    'https://10.0.0.1/',
    'https://167772161/',
    'https://0177.0.0.2/',
    'https://0x7f.2/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[64:ff9b::10.0.0.1]/',
    'https://[2002:a00:1::]/',
    'https://[fd00::1]/',
    'https://169.254.169.254/latest/meta-data/',
    'http://example.com/',
    'https://user:word@example.com/',
    'ftp://example.com/',
  ]) {
    const refused = await add({ url: address });
    expect([address, refused.status]).toEqual([address, 400]);
  }
});

test('what begins and ceases to answer is told to who asks for deployments, once', async () => {
  await add({ events: ['deployment.*'] });
  await trial.services.registry.ensureModel(CHURN);
  await publish('one');
  const manifest = digestOf('one');
  const server = { id: 'a'.repeat(32), host: 'node-1', address: 'http://node-1:8080', release: '0.1.0' };
  const since = '2026-12-01T00:00:00.000Z';
  const versions = [{ model: 'churn', number: 1, manifest, since }];
  const report = { server: { ...server, startedAt: since }, versions };
  for (let n = 0; n < 2; n += 1)
    expect(await ask('POST', '/api/v1/deployments/reports', report)).toMatchObject({ status: 200 });
  await told(1);
  expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({
    type: 'dev.ingot.deployment.started',
    subject: 'models/churn/versions/1',
    data: { model: 'churn', number: 1, server: { host: 'node-1' } },
  });
  clockMs += 60_000;
  await ask('POST', '/api/v1/deployments/reports', { ...report, versions: [] });
  await told(2);
  expect(JSON.parse(heard[1]?.body ?? '')).toMatchObject({ type: 'dev.ingot.deployment.ended' });
});

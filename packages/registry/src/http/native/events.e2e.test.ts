import { digestOf } from '@ingot/core/digest';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { FollowingResolver } from '@ingot/core/registry/http/following';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { readEvents, type ServerEvent } from '@ingot/core/registry/http/read-events';
import { openServerClient } from '@ingot/core/registry/http/server-client';
import type { Registry } from '@ingot/core/registry/registry';
import { describe, expect, test, vi } from 'vitest';
import type { Authorizer } from '../../access/identity.ts';
import { trialApp } from '../testing/registry-app.ts';
import { nativeApi } from './native-api.ts';
import { NATIVE_ROUTES } from './native-routes.ts';

const CHURN = parseModelName('churn');
const protocols = [nativeApi(NATIVE_ROUTES)];
const recipe = { digest: digestOf('recipe'), pack: 'upload-1/1', offset: 0, length: 10 };

async function published(registry: Registry, name = CHURN): Promise<void> {
  await registry.ensureModel(name);
  for (const content of ['a', 'b', 'c']) {
    const draft = { manifest: digestOf(content), recipe, sizeBytes: 1, fileCount: 1, flavor: 'file' };
    await registry.publish(name, { ...draft, scan: 'not scanned' });
  }
}

/** Reads events until a condition holds; the connection ends. */
async function follow(
  address: string,
  {
    query = '',
    lastId,
    until,
  }: { query?: string; lastId?: string; until: (events: readonly ServerEvent[]) => boolean },
): Promise<readonly ServerEvent[]> {
  const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId };
  const response = await fetch(`${address}/api/v1/events${query}`, { headers });
  const events: ServerEvent[] = [];
  if (response.body === null) return events;
  for await (const event of readEvents(response.body)) {
    events.push(event);
    if (until(events)) break;
  }
  return events;
}

const kinds = (events: readonly ServerEvent[]) => events.flatMap(({ name }) => name ?? []);

describe('the stream of events', () => {
  test('tells what happens, and goes on after the event that was seen last', async () => {
    await using trial = await trialApp({ protocols });
    const address = await trial.listen();
    const { registry } = trial.services;
    await published(registry);
    const first = follow(address, { until: (events) => kinds(events).length === 1 });
    await vi.waitFor(async () => {
      await registry.setAlias(CHURN, 'production', 1);
      await registry.setAlias(CHURN, 'production', 2);
      expect(await Promise.race([first, Promise.resolve(undefined)])).toBeDefined();
    });
    const lastId = (await first).at(-1)?.id ?? '';
    await registry.retire(parseReference('churn:3'), { reason: 'worse' });
    const missed = await follow(address, { lastId, until: (events) => kinds(events).includes('version-retired') });
    expect(missed.at(-1)?.data).toMatchObject({ model: 'churn', number: 3, reason: 'worse', kind: 'version-retired' });
    const seqs = missed.flatMap(({ data }) => Object(data).seq ?? []);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  test('tells whoever comes anew nothing of what was before, also when nobody followed meanwhile', async () => {
    await using trial = await trialApp({ protocols });
    const address = await trial.listen();
    const { registry } = trial.services;
    await published(registry);
    const moves = async (alias: string): Promise<readonly ServerEvent[]> => {
      let isOver = false;
      const following = follow(address, { until: (events) => kinds(events).length === 1 });
      void following.finally(() => {
        isOver = true;
      });
      await vi.waitFor(async () => {
        await registry.setAlias(CHURN, alias, 1);
        await registry.setAlias(CHURN, alias, 2);
        expect(isOver).toBe(true);
      });
      return following;
    };
    await moves('first');
    await registry.setAlias(CHURN, 'meanwhile', 1);
    expect((await moves('second')).at(-1)?.data).toMatchObject({ alias: 'second' });
  });

  test('says reset to who was away for too long, or at another index', async () => {
    await using trial = await trialApp({ protocols });
    const address = await trial.listen();
    const events = await follow(address, { lastId: 'elsewhere-7', until: (seen) => kinds(seen).length === 1 });
    expect(kinds(events)).toEqual(['reset']);
  });

  test('tells of a model only who may read it, and only of the models that were asked for', async () => {
    const authorizer: Authorizer = {
      may: (_identity, _permission, target) => target.kind !== 'model' || target.model !== 'secret',
      check: () => {},
    };
    await using trial = await trialApp({ protocols, authorizer });
    const address = await trial.listen();
    const { registry, feed } = trial.services;
    const { position: lastId } = await feed.now();
    for (const name of ['secret', 'other', 'churn']) await published(registry, parseModelName(name));
    const until = (events: readonly ServerEvent[]) => events.some(({ data }) => Object(data).model === 'churn');
    const all = await follow(address, { lastId, until });
    expect(new Set(all.flatMap(({ data }) => Object(data).model ?? []))).toEqual(new Set(['other', 'churn']));
    const some = await follow(address, { lastId, query: '?model=churn', until });
    expect(new Set(some.flatMap(({ data }) => Object(data).model ?? []))).toEqual(new Set(['churn']));
  });
});

describe('50 connected resolvers', () => {
  test('ask nothing while nothing happens, and all know of a moved alias within a second', async () => {
    await using trial = await trialApp({ protocols });
    const address = await trial.listen();
    const { registry } = trial.services;
    await published(registry);
    await registry.setAlias(CHURN, 'production', 1);
    let requests = 0;
    trial.app.server.on('request', () => {
      requests += 1;
    });
    const client = await openServerClient(address, { env: {} });
    const reference = parseReference('churn@production');
    const clients = await Promise.all(Array.from({ length: 50 }, () => openServerClient(address, { env: {} })));
    const resolvers = clients.map((one) => new FollowingResolver(createHttpRegistry(client), one));
    const numbers = async () =>
      new Set((await Promise.all(resolvers.map((one) => one.resolve(reference)))).map(({ number }) => number));
    const isQuiet = async (): Promise<boolean> => {
      const before = requests;
      await numbers();
      return requests === before;
    };
    await vi.waitFor(async () => expect(await isQuiet()).toBe(true), { timeout: 10_000, interval: 50 });
    const before = requests;
    for (let round = 0; round < 20; round += 1) await numbers();
    expect(requests).toBe(before);
    await registry.setAlias(CHURN, 'production', 2);
    await vi.waitFor(async () => expect(await numbers()).toEqual(new Set([2])), { timeout: 5000, interval: 10 });
    for (const resolver of resolvers) resolver[Symbol.dispose]();
  });

  test('ask again while the server is away, and follow again when it is back', async () => {
    await using trial = await trialApp({ protocols });
    const address = await trial.listen();
    await published(trial.services.registry);
    const client = await openServerClient(address, { env: {}, retry: { attempts: 1 } });
    const resolver = new FollowingResolver(createHttpRegistry(client), client);
    const reference = parseReference('churn');
    for (let round = 0; round < 3; round += 1) expect((await resolver.resolve(reference)).number).toBe(3);
    await trial.app.close();
    await vi.waitFor(() => expect(resolver.resolve(reference)).rejects.toMatchObject({ code: 'unavailable' }));
    resolver[Symbol.dispose]();
  });
});

import { expect, test } from 'vitest';
import { trialServer } from './trial-server.ts';

type Server = Awaited<ReturnType<typeof trialServer>>;

const ADDRESSES = [
  '/api/v1/models/churn',
  '/api/v1/models/churn/aliases',
  '/api/2.0/mlflow/registered-models/get?name=churn',
];

async function tokenFor(
  { url, firstToken }: Server,
  name: string,
  scope: string,
): Promise<{ id: string; token: string }> {
  const reply = await fetch(`${url}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${firstToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name, service: true, scopes: [{ role: 'reader', scope }] }),
  });
  expect(reply.status, await reply.clone().text()).toBe(201);
  const made: { id: string; token: string } = JSON.parse(await reply.text());
  return made;
}

async function statusesFor({ url }: Server, headers: Record<string, string>): Promise<number[]> {
  const statuses: number[] = [];
  for (const address of ADDRESSES) {
    const reply = await fetch(`${url}${address}`, { headers });
    await reply.text();
    statuses.push(reply.status);
  }
  return statuses;
}

const as = (token: string) => ({ authorization: `Bearer ${token}` });

test('an answer that is kept is given to nobody who may not have it, or not any more', async () => {
  await using server = await trialServer();
  const { url, firstToken } = server;
  const made = await fetch(`${url}/api/v1/models`, {
    method: 'POST',
    headers: { ...as(firstToken), 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'churn' }),
  });
  expect(made.status).toBe(201);
  const reader = await tokenFor(server, 'reads', 'churn');
  const stranger = await tokenFor(server, 'strange', 'wine');
  for (let round = 0; round < 3; round++) {
    expect(await statusesFor(server, as(reader.token))).toEqual([200, 200, 200]);
    expect(await statusesFor(server, as(stranger.token))).toEqual([404, 404, 404]);
    expect(await statusesFor(server, {})).toEqual([401, 401, 401]);
    expect(await statusesFor(server, as(`${reader.token.slice(0, -1)}~`))).toEqual([401, 401, 401]);
    expect(await statusesFor(server, { ...as(reader.token), origin: 'http://elsewhere.example' })).toEqual([
      403, 403, 403,
    ]);
  }
  const revoked = await fetch(`${url}/api/v1/tokens/${reader.id}`, { method: 'DELETE', headers: as(firstToken) });
  expect(revoked.status).toBe(200);
  expect(await statusesFor(server, as(reader.token))).toEqual([401, 401, 401]);
  expect(await statusesFor(server, as(firstToken))).toEqual([200, 200, 200]);
});

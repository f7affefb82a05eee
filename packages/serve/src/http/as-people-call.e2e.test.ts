import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryHost } from './testing/memory-host.ts';
import { CHURN, ECHO } from './testing/models.ts';
import { type ServedApp, serveApp } from './testing/served-app.ts';

const FORM = 'application/x-www-form-urlencoded';
const LIMIT = 8 * 1024 * 1024;
let served: ServedApp;
beforeAll(async () => {
  served = await serveApp({ host: memoryHost([...CHURN, ECHO]), limits: { bodyBytes: LIMIT } });
});
afterAll(() => served[Symbol.asyncDispose]());

async function post(path: string, body: string, type = FORM): Promise<{ status: number; body: unknown }> {
  const response = await fetch(served.url + path, { method: 'POST', body, headers: { 'content-type': type } });
  return { status: response.status, body: await response.json() };
}

const rows = JSON.stringify([{ age: 41, charges: 1.5, plan: 'pro' }]);

test('JSON that curl -d calls a form, or fetch calls text, is read as JSON where predictions are made', async () => {
  const records = `{"dataframe_records":${rows}}`;
  const tensors = '{"inputs":[{"name":"a","datatype":"INT64","shape":[1],"data":[1]}]}';
  for (const type of [FORM, 'text/plain;charset=UTF-8']) {
    expect((await post('/predict/churn', ` ${rows}`, type)).status).toBe(200);
    expect((await post('/models/churn/invocations', records, type)).status).toBe(200);
    expect((await post('/v2/models/echo/infer', tensors, type)).status).toBe(200);
  }
});

test('a real form is still refused, and so is everything that controls the server', async () => {
  expect(await post('/predict/churn', 'age=41&plan=pro')).toMatchObject({
    status: 415,
    body: { code: 'unsupported-media-type', hint: "-H 'content-type: application/json'" },
  });
  for (const verb of ['load', 'unload']) {
    expect((await post(`/v2/repository/models/churn/${verb}`, '{}')).status).toBe(415);
  }
  expect((await post('/predict/churn', rows)).status).toBe(200);
});

test('NaN in a body is told what to send instead', async () => {
  expect((await post('/predict/churn', '[{"age": 41, "charges": NaN, "plan": "pro"}]')).body).toMatchObject({
    code: 'invalid-request',
    hint: 'JSON has no NaN and no infinity; send null for a missing value',
  });
});

test('CSV of semicolons, and with line ends of two kinds, is understood or named', async () => {
  const csv = (text: string) => post('/models/churn/invocations', text, 'text/csv');
  expect(await csv('age;charges;plan\n41;1.5;pro\n')).toMatchObject({
    status: 400,
    body: { error: expect.stringContaining('separated by commas, not by ";"') },
  });
  expect(await csv('\uFEFFage,charges,plan\n41,1.5,pro\r\n')).toMatchObject({
    status: 200,
    body: { predictions: [42.5] },
  });
});

test('a sender of a body that is too large gets to read why, though it reads only when it has sent all and will close', async () => {
  const socket = connect(served.port, '127.0.0.1');
  const size = LIMIT + 24 * 1024 * 1024 - 1;
  let text = '';
  socket.on('error', (error) => {
    text += error.message;
  });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(
    `POST /predict/churn HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`,
  );
  socket.pause();
  await new Promise<void>((resolve) => socket.write(Buffer.alloc(size, ' '), () => resolve()));
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.resume();
  await closed;
  expect(text).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"payload-too-large"/);
});

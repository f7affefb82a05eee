import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeApi } from './native/native-api.ts';
import { NATIVE_ROUTES } from './native/native-routes.ts';
import { trialApp, type TrialApp } from './testing/registry-app.ts';

let trial: TrialApp;
let port = 0;

beforeAll(async () => {
  trial = await trialApp({ protocols: [nativeApi(NATIVE_ROUTES)] });
  port = Number(new URL(await trial.listen()).port);
});
afterAll(() => trial[Symbol.asyncDispose]());

/** Sends bytes as they are; gives all that comes back until the connection ends. */
function sent(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setTimeout(5000, () => socket.destroy(new Error(`the connection stays open after: ${answer}`)));
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

const HOST = `Host: 127.0.0.1\r\n`;
const JSON_TYPE = 'Content-Type: application/json\r\n';

describe('what is no proper request', () => {
  test.each([
    [
      'a length and chunks',
      `POST /api/v1/models HTTP/1.1\r\n${HOST}${JSON_TYPE}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1 HTTP/1.1\r\n\r\n`,
      400,
    ],
    [
      'two lengths',
      `POST /api/v1/models HTTP/1.1\r\n${HOST}${JSON_TYPE}Content-Length: 4\r\nContent-Length: 2\r\n\r\n{}{}`,
      400,
    ],
    ['no host', 'GET /api/v1 HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['a bare line feed in a header', `GET /api/v1 HTTP/1.1\r\n${HOST}X-A: b\nX-B: c\rX\r\n\r\n`, 400],
    ['headers of 20 KiB', `GET /api/v1 HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['a method that is not taken', `QUERY /api/v1/models HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 405],
    ['a method that nobody knows', `BREW /api/v1/models HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\r\n\r\n', 400],
  ])('is refused, and the connection ends: %s', async (_, text, status) => {
    const answer = await sent(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});

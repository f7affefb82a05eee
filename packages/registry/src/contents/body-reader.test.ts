import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'vitest';
import { isIngotError } from '@ingot/core/errors';
import { DEFAULT_PACE } from './body-pace.ts';
import { BodyReader } from './body-reader.ts';

const MIB = 1024 * 1024;
const started: Server[] = [];

afterEach(() => {
  for (const server of started.splice(0)) server.close().closeAllConnections();
});

/** A server, and a connection to it on which the head of a request has come. */
async function asked(head: readonly string[]): Promise<{ request: IncomingMessage; line: Socket }> {
  const server = createServer();
  started.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const requested = once(server, 'request');
  const line = connect(address.port, '127.0.0.1').on('error', () => {});
  line.write(`PUT / HTTP/1.1\r\nHost: here\r\n${head.join('\r\n')}\r\n\r\n`);
  const [request] = await requested;
  return { request, line };
}

/** Reads to the end in blocks of this size; after each, others have their turn. */
async function readAll(reader: BodyReader, blockBytes: number) {
  const hash = createHash('sha256');
  const sizes: number[] = [];
  const block = new Uint8Array(new SharedArrayBuffer(blockBytes));
  do {
    const count = await reader.read(block);
    hash.update(block.subarray(0, count));
    sizes.push(count);
    await new Promise((resolve) => setImmediate(resolve));
  } while (!reader.ended);
  await reader.close();
  return { sizes, digest: hash.digest('hex') };
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('the body of a request', () => {
  test.each([
    ['of much, on a connection that is taken,', 33 * MIB + 17, true],
    ['of little, on a connection that goes on,', MIB + 5, false],
    ['of nobody knows how much', 3 * MIB, undefined],
    ['of nothing, which nobody knew,', 0, undefined],
  ])(
    '%s comes whole, in blocks that are full, and what follows it on the line is not of it',
    async (_, size, isTaken) => {
      const bytes = randomBytes(size);
      const { request, line } = await asked([`Content-Length: ${size}`]);
      let taken = false;
      const onTaken = (): void => {
        taken = true;
      };
      const reading = readAll(new BodyReader({ request, sizeBytes: size, pace: DEFAULT_PACE, onTaken }, 'fail'), MIB);
      line.write(bytes);
      line.write('GET /next HTTP/1.1\r\n\r\n');
      const { sizes, digest } = await reading;
      assert.equal(digest, digestOf(bytes));
      assert.equal(taken, isTaken === true);
      assert.deepEqual(new Set(sizes.slice(0, -1)), new Set(sizes.length > 1 ? [MIB] : []));
    },
  );

  test.each([
    ['at the edge of a block', 5 * MIB],
    ['in a block', 5 * MIB + 100],
    ['before any came', 0],
  ])('whose sender goes away %s fails, or ends with all that came', async (_, sent) => {
    const bytes = randomBytes(sent);
    for (const onStop of ['fail', 'end'] as const) {
      const { request, line } = await asked([`Content-Length: ${64 * MIB}`]);
      let why: unknown;
      const told = (error: unknown): void => {
        why = error;
      };
      const body = { request, sizeBytes: 64 * MIB, pace: DEFAULT_PACE, onTaken: () => {} };
      const reading = readAll(new BodyReader(body, onStop === 'fail' ? 'fail' : told), MIB);
      line.end(bytes);
      if (onStop === 'fail') {
        await assert.rejects(reading, (error) => isIngotError(error, 'interrupted'));
        continue;
      }
      const { sizes, digest } = await reading;
      assert.equal(digest, digestOf(bytes));
      assert.ok(sizes.length === 1 || !sizes.includes(0), 'the end comes with bytes');
      assert.ok(isIngotError(why, 'interrupted'));
    }
  });

  test('that stalls is given up, and one that waits for the server is not', async () => {
    const pace = { ...DEFAULT_PACE, silenceMs: 40, lookMs: 5 };
    const { request, line } = await asked([`Content-Length: ${8 * MIB}`]);
    const reader = new BodyReader({ request, sizeBytes: 8 * MIB, pace, onTaken: () => {} }, 'fail');
    line.write(Buffer.alloc(3 * MIB));
    const block = new Uint8Array(MIB);
    assert.equal(await reader.read(block), MIB);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.equal(await reader.read(block), MIB);
    await assert.rejects(reader.read(new Uint8Array(2 * MIB)), (error) => isIngotError(error, 'timeout'));
    await reader.close();
  });
});

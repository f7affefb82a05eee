/** A TCP proxy that cuts, stalls and slows what passes: a bad line between a client and a real server. */

import { createServer, type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LineFault } from '../../src/blob/conformance.ts';

/** A proxy in this process. */
export interface FaultyProxy {
  readonly port: number;
  /** Changes what goes wrong from now on; byte counts begin anew. */
  set(fault: LineFault): void;
  close(): Promise<void>;
}

/**
 * Listens on a free port of 127.0.0.1 and passes bytes to `targetPort` there.
 *
 * @example
 * const proxy = await startFaultyProxy(server.port);
 * proxy.set({ kind: 'cut', direction: 'down', afterBytes: 1_000_000, how: 'reset' });
 */
export async function startFaultyProxy(targetPort: number): Promise<FaultyProxy> {
  const line: Line = { fault: { kind: 'none' }, round: 0 };
  const pairs = new Set<Pair>();
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    const pair: Pair = { client, upstream, isHeld: false };
    pairs.add(pair);
    const dropUnlessHeld = () => {
      if (!pair.isHeld) drop(pair);
    };
    for (const socket of [client, upstream]) socket.setNoDelay(true);
    client.on('error', () => drop(pair)).on('close', () => drop(pair));
    client.on('close', () => pairs.delete(pair));
    // A server that has answered and gone is not to be seen through a line that holds its answer.
    upstream.on('error', dropUnlessHeld).on('close', dropUnlessHeld);
    void pass(pair, 'up', line).catch(dropUnlessHeld);
    void pass(pair, 'down', line).catch(dropUnlessHeld);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    set: (fault) => {
      line.fault = fault;
      line.round += 1;
    },
    close: async () => {
      for (const pair of pairs) drop(pair);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Line {
  fault: LineFault;
  round: number;
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  isHeld: boolean;
}

async function pass(pair: Pair, direction: 'up' | 'down', line: Line): Promise<void> {
  const [from, to] = direction === 'up' ? [pair.client, pair.upstream] : [pair.upstream, pair.client];
  let round = -1;
  let passed = 0;
  for await (const data of from.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(data)) continue;
    if (round !== line.round) {
      round = line.round;
      passed = 0;
    }
    const { fault } = line;
    const limit =
      'direction' in fault && fault.direction === direction ? fault.afterBytes - passed : Number.POSITIVE_INFINITY;
    const allowed = data.subarray(0, Math.max(0, Math.min(limit, data.byteLength)));
    passed += allowed.byteLength;
    await send(to, allowed, fault);
    if (allowed.byteLength === data.byteLength) continue;
    if (fault.kind === 'stall') return hold(pair, line, round);
    if (fault.kind === 'cut') return cut(pair, fault.how);
  }
  to.end();
}

async function send(to: Socket, data: Buffer, fault: LineFault): Promise<void> {
  const slice = fault.kind === 'slow' ? fault.sliceBytes : Math.max(1, data.byteLength);
  for (let at = 0; at < data.byteLength; at += slice) {
    if (!to.write(data.subarray(at, at + slice)))
      await new Promise((resolve) => to.once('drain', resolve).once('close', resolve));
    if (fault.kind === 'slow') await sleep(fault.pauseMs);
  }
}

// What was swallowed cannot be given back: a connection that stalled is of no use when the line is well again.
async function hold(pair: Pair, line: Line, round: number): Promise<void> {
  pair.isHeld = true;
  while (line.round === round && !pair.client.destroyed) await sleep(10);
  drop(pair);
}

function cut({ client, upstream }: Pair, how: 'end' | 'reset'): void {
  if (how === 'reset') client.resetAndDestroy();
  else client.end();
  upstream.destroy();
}

function drop({ client, upstream }: Pair): void {
  client.destroy();
  upstream.destroy();
}

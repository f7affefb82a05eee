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
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer({ pauseOnConnect: false }, (client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const drop = () => {
      for (const socket of pair) socket.destroy();
      pairs.delete(pair);
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', drop);
      socket.on('close', drop);
    }
    void pass(client, upstream, 'up', line, pair).catch(drop);
    void pass(upstream, client, 'down', line, pair).catch(drop);
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
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Line {
  fault: LineFault;
  round: number;
}

async function pass(
  from: Socket,
  to: Socket,
  direction: 'up' | 'down',
  line: Line,
  pair: readonly [Socket, Socket],
): Promise<void> {
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
    if (fault.kind === 'stall') return hold(from, line, round, pair);
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
async function hold(from: Socket, line: Line, round: number, pair: readonly [Socket, Socket]): Promise<void> {
  while (line.round === round && !from.destroyed) await sleep(10);
  for (const socket of pair) socket.destroy();
}

function cut([client, upstream]: readonly [Socket, Socket], how: 'end' | 'reset'): void {
  if (how === 'reset') client.resetAndDestroy();
  else client.end();
  upstream.destroy();
}

import { openSignal } from '@ingot/core/open-signal';
import type { FastifyRequest } from 'fastify';

/** Fires when the client goes away before its answer is sent. */
export function requestSignal({ raw }: FastifyRequest): AbortSignal {
  const ended = openSignal();
  const { socket } = raw;
  const end = (): void => {
    if (!raw.complete || socket.destroyed) ended.end();
  };
  raw.once('close', () => {
    socket.off('close', end);
  });
  socket.once('close', end);
  return ended.signal;
}

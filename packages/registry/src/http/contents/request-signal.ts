import type { FastifyRequest } from 'fastify';

/** Fires when the client goes away before its answer is sent. */
export function requestSignal({ raw }: FastifyRequest): AbortSignal {
  const controller = new AbortController();
  const { socket } = raw;
  const end = (): void => {
    if (!raw.complete || socket.destroyed) controller.abort();
  };
  raw.once('close', () => {
    socket.off('close', end);
  });
  socket.once('close', end);
  return controller.signal;
}

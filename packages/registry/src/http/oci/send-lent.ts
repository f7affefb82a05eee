import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** A client that takes nothing for so long is not waited for: it holds a file and two buffers. */
const SILENCE_MS = 5 * 60_000;

/**
 * Sends bytes that hold only until the next are asked for: these are asked for when the system has taken the ones before.
 * What fails before the first are there is thrown; what fails later ends the connection, so that nobody takes what came
 * for all of it.
 */
export async function sendLent(reply: FastifyReply, bytes: AsyncIterable<Uint8Array>): Promise<FastifyReply> {
  const pieces = bytes[Symbol.asyncIterator]();
  const first = await pieces.next();
  reply.hijack();
  const { raw } = reply;
  try {
    raw.writeHead(reply.statusCode, headersOf(reply));
    for (let next = first; next.done !== true; next = await pieces.next()) await written(raw, next.value);
    raw.end();
  } catch {
    raw.destroy();
  } finally {
    await pieces.return?.();
  }
  return reply;
}

function headersOf(reply: FastifyReply): Record<string, string | number | string[]> {
  const said = Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(said);
}

/** Ends when the system has taken the bytes; fails when nobody takes them any more. */
function written(raw: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => end(new Error('the client went away'));
    const silent = setTimeout(() => end(new Error('the client takes nothing')), SILENCE_MS);
    const end = (error?: Error | null): void => {
      clearTimeout(silent);
      raw.off('close', gone);
      if (error) reject(error);
      else resolve();
    };
    if (raw.destroyed) return gone();
    raw.once('close', gone);
    raw.write(bytes, end);
  });
}

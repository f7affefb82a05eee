import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { systemErrorCode } from '@ingot/core/errors';
import type { ServeLimits } from './limits.ts';

/** Answers a request. */
export type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Makes the node:http server around a handler: strict parsing, limits on headers and on how slowly a request may come,
 * and JSON errors also for what is no HTTP.
 */
export function createListener(handle: Handle, limits: ServeLimits): Server {
  const server = createServer({
    insecureHTTPParser: false,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
    noDelay: true,
  });
  server.on('request', handle);
  // A client that asks before it sends a large body is refused before it sends it.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= limits.bodyBytes) response.writeContinue();
    else response.shouldKeepAlive = false;
    handle(request, response);
  });
  server.on('clientError', refuse);
  return server;
}

const REFUSALS: Readonly<Record<string, readonly [string, string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the request headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
};

function refuse(error: Error, socket: Socket): void {
  const code = systemErrorCode(error) ?? '';
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, text] = REFUSALS[code] ?? ['400 Bad Request', 'the request is no valid HTTP'];
  const body = JSON.stringify({ error: text, code: 'invalid-request' });
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

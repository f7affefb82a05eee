import { IngotError, isIngotError } from '@ingot/core/errors';
import type { FastifyError } from 'fastify';
import type { Socket } from 'node:net';
import { problemOf } from './problem.ts';

/** Gives the framework's own refusals in the words of this server; all else as it is. */
export function fromFramework(thrown: unknown): unknown {
  if (isIngotError(thrown)) return thrown;
  const { code, statusCode, message }: Partial<FastifyError> = thrown instanceof Error ? thrown : {};
  if (statusCode === 413) return new IngotError('payload-too-large', 'the body is larger than this route takes');
  if (statusCode === 415)
    return new IngotError('unsupported-media-type', 'this route takes JSON', {
      hint: 'Content-Type: application/json',
    });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new IngotError('invalid-request', message ?? 'the request is not valid', {
      details: { rule: code ?? 'request' },
    });
  return thrown;
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

/** A method of any name, an address and a version: what makes it differ from what is no HTTP. */
const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/1\.[01]\r?$/m;

/** Why a connection cannot go on. */
type ConnectionError = Error & { readonly code?: string; readonly rawPacket?: unknown };

/** Answers what is no HTTP, or comes too slowly or too large, before any route is known; the connection ends. */
export function refuseConnection(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const [status, detail] = refusalOf(error);
  const code = status === 408 ? 'timeout' : 'invalid-request';
  const body = JSON.stringify({ ...problemOf(new IngotError(code, detail)), status });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ].join('\r\n');
  socket.end(`${head}\r\n\r\n${body}`);
}

function refusalOf({ code, rawPacket }: ConnectionError): readonly [number, string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'the request did not arrive in time'];
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'the headers are larger than 16 KiB'];
  if (code === 'HPE_INVALID_METHOD' && REQUEST_LINE.test(String(rawPacket)))
    return [501, 'this is no method that the server knows'];
  return [400, 'this is not a valid HTTP request'];
}

import { createServer, type IncomingHttpHeaders } from 'node:http';

/** A request as it arrived. */
export interface RecordedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What to answer. */
export interface PreparedReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** An HTTP server that remembers what it was asked. */
export interface RecordingServer {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  close(): Promise<void>;
}

/**
 * Starts an HTTP server on a free port of 127.0.0.1 that answers as it is told, for what real test servers never say:
 * refusals, headers they ignore, answers that are wrong.
 */
export async function startRecordingServer(
  answer: (request: RecordedRequest) => PreparedReply,
): Promise<RecordingServer> {
  const requests: RecordedRequest[] = [];
  const server = createServer(async (incoming, reply) => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece);
    const { method = '', url = '', headers } = incoming;
    const request = { method, target: url, headers, body: Buffer.concat(pieces) };
    requests.push(request);
    const { status, headers: sent = {}, body = '' } = answer(request);
    reply.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...sent });
    reply.end(method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

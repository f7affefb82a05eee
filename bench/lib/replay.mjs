/**
 * A stub that answers at once with what a real server has answered: first it stands before the server and keeps all
 * answers, then it gives them again, in their order for each method and address. What a flow takes against it is what
 * the client itself takes.
 */
import { createServer, request } from 'node:http';

/** Starts it before the server at `target`; `replay()` ends the recording. Gives `url`, `requests()` and `stop`. */
export async function startReplay(target) {
  const kept = new Map();
  let turns;
  let asked = 0;
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    asked += 1;
    const key = `${incoming.method} ${incoming.url}`;
    if (turns !== undefined) {
      incoming.resume();
      incoming.on('end', () => give(outgoing, next(kept.get(key) ?? [], key)));
      return;
    }
    const sent = request(
      {
        hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, host: `${hostname}:${port}` },
      },
      (reply) => {
        const pieces = [];
        reply.on('data', (piece) => pieces.push(piece));
        reply.on('end', () => {
          const answer = { status: reply.statusCode, headers: reply.headers, body: Buffer.concat(pieces) };
          kept.set(key, [...(kept.get(key) ?? []), answer]);
          give(outgoing, answer);
        });
      },
    );
    sent.on('error', (error) => give(outgoing, { status: 502, headers: {}, body: Buffer.from(error.message) }));
    incoming.pipe(sent);
  });
  const next = (answers, key) => {
    const turn = turns.get(key) ?? 0;
    turns.set(key, turn + 1);
    return (
      answers[Math.min(turn, answers.length - 1)] ?? {
        status: 404,
        headers: {},
        body: Buffer.from(`no answer to ${key}`),
      }
    );
  };
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    replay: () => {
      turns = new Map();
      asked = 0;
    },
    requests: () => asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

function give(outgoing, { status, headers, body }) {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...rest } = headers;
  outgoing.writeHead(status, { ...rest, 'content-length': body.length });
  outgoing.end(body);
}

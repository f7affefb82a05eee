import { createServer } from 'node:net';

/** Finds a port that nobody listens on: the first of twenty from `from` on, else any. */
export async function freePort(host: string, from: number): Promise<number> {
  for (let port = from; port < from + 20 && port < 65_536; port++) {
    if ((await tryPort(host, port)) !== undefined) return port;
  }
  return (await tryPort(host, 0)) ?? 0;
}

function tryPort(host: string, port: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

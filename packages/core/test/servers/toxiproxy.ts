import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess } from './server.ts';

/** What goes wrong on a line: the type, direction, share of connections and attributes of one of toxiproxy's toxics. */
export interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'timeout' | 'reset_peer' | 'slicer' | 'limit_data';
  /** `upstream`: to the server; `downstream`: from it. */
  readonly stream: 'upstream' | 'downstream';
  /** Share of the connections that it meets. */
  readonly toxicity: number;
  readonly attributes: Readonly<Record<string, number>>;
}

/** A line through toxiproxy. */
export interface ToxicLine {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/** Toxiproxy, which lays bad lines to a server. */
export interface Toxiproxy {
  /** Lays a line to a port of 127.0.0.1. */
  line(targetPort: number, toxics: readonly Toxic[]): Promise<ToxicLine>;
  close(): Promise<void>;
}

/** Starts toxiproxy. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = await startProcess({
    command: await testServer('toxiproxy'),
    args: ['-host', '127.0.0.1', '-port', String(port)],
    isReady: () => answers(`${url}/version`),
  });
  let lines = 0;
  return {
    line: async (targetPort, toxics) => {
      const name = `line-${lines++}`;
      const made = { name, listen: '127.0.0.1:0', upstream: `127.0.0.1:${targetPort}`, enabled: true };
      const { listen } = await call(url, 'POST', '/proxies', made);
      for (const toxic of toxics) await call(url, 'POST', `/proxies/${name}/toxics`, toxic);
      return {
        port: Number(String(listen).split(':').pop()),
        close: async () => void (await call(url, 'DELETE', `/proxies/${name}`)),
      };
    },
    close: () => running.stop(),
  };
}

async function call(url: string, method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const reply = await fetch(`${url}${path}`, { method, ...sent });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`toxiproxy: ${method} ${path}: ${reply.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

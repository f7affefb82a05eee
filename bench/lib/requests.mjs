/** Sends requests one after the other over some connections, and weighs what they cost the server. */
import { Agent, request } from 'node:http';
import { usageOf } from './processes.mjs';

/**
 * Sends `count` requests, each made by `make(index)` (`{method, path, headers, body}`), over `connections` that are kept.
 * Gives processor milliseconds of the server for each, percentiles of the time to answer, and requests a second.
 */
export async function weigh({ url, pid }, { make, count, connections = 1, warm = Math.min(500, count) }) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times = [];
  let next = 0;
  const worker = async (until, isCounted) => {
    while (next < until) {
      const index = next++;
      const began = performance.now();
      await send(url, agent, make(index));
      if (isCounted) times.push(performance.now() - began);
    }
  };
  const all = (until, isCounted) => Promise.all(Array.from({ length: connections }, () => worker(until, isCounted)));
  try {
    await all(warm, false);
    const before = usageOf(pid);
    const began = performance.now();
    await all(warm + count, true);
    const seconds = (performance.now() - began) / 1000;
    const cpuMs = ((usageOf(pid).cpu - before.cpu) * 1000) / count;
    times.sort((a, b) => a - b);
    return { cpuMs, p50: times[Math.floor(count * 0.5)], p99: times[Math.floor(count * 0.99)], perSecond: count / seconds };
  } finally {
    agent.destroy();
  }
}

/** Sends one request and reads its answer to the end; an answer that is not 2xx is an error. */
export function send(url, agent, { method = 'GET', path, headers = {}, body }) {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const typed = payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, agent, headers: { ...typed, ...headers } }, (reply) => {
      const pieces = [];
      reply.on('data', (piece) => pieces.push(piece));
      reply.on('error', reject);
      reply.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        if (reply.statusCode >= 200 && reply.statusCode < 300) resolve(text === '' ? undefined : JSON.parse(text));
        else reject(new Error(`${method} ${path} answers ${reply.statusCode}: ${text.slice(0, 300)}`));
      });
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}

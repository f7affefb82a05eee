/**
 * Counts what each command asks of an S3 server, by a proxy in front of it, and holds the table of README.md to it: no
 * command may cost clearly more than the page says. `INGOT_WRITE_DOCS=1 npx vitest run docs/storage/requests.e2e.test.ts` writes the table.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { buildOnce } from '../../conformance/cli/build-once.ts';
import { runIngot, workDirectory } from '../../conformance/cli/run-case.ts';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';

const PAGE = new URL('README.md', import.meta.url);
const MIB = 2 ** 20;
const MARKS = /(<!-- requests -->\n)[\s\S]*?(<!-- \/requests -->)/;
const KINDS = ['read', 'stat', 'list', 'write', 'delete'];

beforeAll(buildOnce);

interface Measured {
  readonly counts: Readonly<Record<string, number>>;
  readonly sentBytes: number;
}

interface Row extends Measured {
  readonly what: string;
}

interface Counter {
  readonly url: string;
  take(): Measured;
  close(): Promise<void>;
}

/** Passes requests on, and counts them by what they are to Amazon's price list. */
async function startCounter(port: number): Promise<Counter> {
  let counts: Record<string, number> = {};
  let sentBytes = 0;
  const server = createServer((incoming, outgoing) => {
    const kind = kindOf(incoming);
    counts[kind] = (counts[kind] ?? 0) + 1;
    incoming.on('data', (data) => {
      sentBytes += data.byteLength;
    });
    const { method, url, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the counter has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    take() {
      const taken = { counts, sentBytes };
      counts = {};
      sentBytes = 0;
      return taken;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const METHODS: Readonly<Record<string, string>> = { HEAD: 'stat', PUT: 'write', POST: 'write', DELETE: 'delete' };

function kindOf({ method = '', url = '' }: IncomingMessage): string {
  if (method === 'GET') return /[?&]list-type=/.test(url) ? 'list' : 'read';
  return METHODS[method] ?? method;
}

/** Bytes that look random and are the same in each run. */
function bytes(sizeBytes: number, seed: string | number): Buffer {
  const parts: Buffer[] = [];
  for (let block = 0; block * 64 < sizeBytes; block++)
    parts.push(createHash('sha512').update(`${seed} ${block}`).digest());
  return Buffer.concat(parts).subarray(0, sizeBytes);
}

/** A file that changed less than two seconds before a push is read again by the next. */
const UNTIL_SETTLED_MS = 2_500;

await needServer('versitygw', startVersitygw, (server) => {
  it('no command asks more of a storage than the page says', async () => {
    const counter = await startCounter(server.port);
    using work = workDirectory();
    const env = { ...server.env, AWS_ENDPOINT_URL: counter.url, INGOT_REGISTRY: 's3://models/team' };
    const rows: Row[] = [];
    const measure = async (what: string, words: string, { cache = 'cache' } = {}): Promise<void> => {
      const options = { cwd: work.path, env: { ...env, INGOT_CACHE: join(work.path, cache) } };
      const { status, stderr } = await runIngot(words.split(' '), options);
      expect(status, `${words}: ${stderr}`).toBe(0);
      rows.push({ what, ...counter.take() });
    };
    try {
      const weights = bytes(64 * MIB, 'weights');
      const directory = join(work.path, 'model');
      mkdirSync(directory);
      writeFileSync(join(directory, 'model.bin'), weights);
      for (let file = 0; file < 200; file++) writeFileSync(join(directory, `part-${file}.bin`), bytes(10_000, file));
      await delay(UNTIL_SETTLED_MS);
      await measure(
        '`push` of 64 MiB and 200 small files, the first to this store',
        'push model --name m --alias production',
      );
      await measure('`push` again, nothing changed', 'push model --name m');
      bytes(Math.floor(1.28 * MIB), 'change').copy(weights, 20 * MIB);
      writeFileSync(join(directory, 'model.bin'), weights);
      await measure('`push` with 2 % of it changed', 'push model --name m');
      await measure('`promote`, `alias set`, `rollback`', 'promote m:2');
      await measure('`ls`', 'ls');
      await measure('`history`', 'history m');
      await measure('`pull` to a machine that has nothing', 'pull m:1 --cached', { cache: 'other' });
      await measure('`pull` with 2 % of it changed', 'pull m:2 --cached', { cache: 'other' });
      await measure('`pull` of what is in the cache (a model server asks so every 2 s)', 'pull m:2 --cached', {
        cache: 'other',
      });
      await measure('`check`', 'check');
      await measure('`check --read-data`', 'check --read-data');
      await measure('`stats`', 'stats');
      await measure('`gc` that finds nothing', 'gc');
      await measure('`doctor`', 'doctor');
    } finally {
      await counter.close();
    }
    if (process.env.INGOT_WRITE_DOCS === '1') writeTable(rows);
    expect(dearer(rows)).toEqual([]);
  });
});

function writeTable(rows: readonly Row[]): void {
  const head = `| command | ${KINDS.join(' | ')} | sent |\n| --- |${' ---: |'.repeat(KINDS.length + 1)}\n`;
  const lines = rows.map(
    ({ what, counts, sentBytes }) =>
      `| ${what} | ${KINDS.map((kind) => counts[kind] ?? 0).join(' | ')} | ${sizeOf(sentBytes)} |\n`,
  );
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(PAGE, page.replace(MARKS, `$1${head}${lines.join('')}$2`));
}

function sizeOf(sizeBytes: number): string {
  return sizeBytes < 100_000 ? `${Math.ceil(sizeBytes / 1000)} kB` : `${(sizeBytes / 1e6).toFixed(1)} MB`;
}

/** A quarter more than the page says, and two: how requests fall together in time differs a little. */
function allowed(said: number | undefined): number {
  return said === undefined ? -1 : said * 1.25 + 2;
}

/** Rows of which some kind of request is made more often than the page says. */
function dearer(rows: readonly Row[]): string[] {
  const table = MARKS.exec(readFileSync(PAGE, 'utf8'))?.[0] ?? '';
  return rows.flatMap(({ what, counts }) => {
    const line = table.split('\n').find((candidate) => candidate.startsWith(`| ${what} |`));
    const said =
      line
        ?.split('|')
        .slice(2, 2 + KINDS.length)
        .map(Number) ?? [];
    return KINDS.filter((kind, index) => (counts[kind] ?? 0) > allowed(said[index])).map(
      (kind) => `${what}: ${counts[kind]} × ${kind}, the page says ${said[KINDS.indexOf(kind)] ?? 'nothing'}`,
    );
  });
}

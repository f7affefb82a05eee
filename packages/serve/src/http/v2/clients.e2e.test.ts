import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryHost } from '../testing/memory-host.ts';
import { ADDER } from '../testing/models.ts';
import { type ServedApp, serveApp } from '../testing/served-app.ts';

const REQUIREMENTS = ['tritonclient[http]==2.73.0', 'kserve==0.21.0'];
const probes = fileURLToPath(new URL('../testing/probe_clients.py', import.meta.url));
const environment = fileURLToPath(new URL('../../../../../.cache/v2-clients', import.meta.url));
const python = `${environment}/bin/python`;
const ready = `${environment}/ready-${REQUIREMENTS.join('-').replace(/[^\w.-]/g, '_')}`;
const uv = fileURLToPath(new URL('../../../../../.venv/bin/uv', import.meta.url));

// Two clients with all they need come over the network the first time.
const INSTALL_TIMEOUT_MS = 600_000;

let served: ServedApp;
let missing: string | undefined;

beforeAll(async () => {
  missing = await prepareClients();
  served = await serveApp({ host: memoryHost([ADDER]) });
}, INSTALL_TIMEOUT_MS);
afterAll(() => served[Symbol.asyncDispose]());

/** Makes the clients' environment once; says why when it cannot be made. */
async function prepareClients(): Promise<string | undefined> {
  try {
    if (existsSync(ready)) return undefined;
    if (existsSync(uv)) {
      await run(uv, ['venv', '--clear', '--quiet', environment]);
      await run(uv, ['pip', 'install', '--quiet', '--python', python, ...REQUIREMENTS]);
    } else {
      await run('python3', ['-m', 'venv', environment]);
      await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...REQUIREMENTS]);
    }
    writeFileSync(ready, '');
    return undefined;
  } catch (cause) {
    if (process.env.CI !== undefined) throw cause;
    return `the clients cannot be installed: ${String(cause).slice(0, 300)}`;
  }
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { maxBuffer: 1 << 24, env: { UV_SYSTEM_CERTS: 'true', ...process.env } },
      (error: ExecFileException | null, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
    );
  });
}

test('tritonclient and kserve, unmodified, get what the protocol promises from every call', async ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  const seen: unknown = JSON.parse(await run(python, [probes, `127.0.0.1:${served.port}`]));
  const sum = [[11, 22, 33, 44]];
  expect(seen).toEqual({
    live: true,
    ready: true,
    'model ready': true,
    'version ready': true,
    'missing model ready': false,
    metadata: 'ingot',
    'model metadata': { name: 'INPUT0', datatype: 'INT32', shape: [-1, 4] },
    'missing metadata': expect.stringMatching(/^refused: 404: no model "nope"/),
    config: 'TYPE_INT32',
    index: 'READY',
    json: sum,
    binary: sum,
    'json in, binary out': sum,
    'binary in, json out': sum,
    'default outputs': sum,
    versioned: sum,
    'bad version': expect.stringMatching(/^refused: 404: version "9"/),
    'missing model': expect.stringMatching(/^refused: 404: no model "nope"/),
    gzip: sum,
    deflate: sum,
    id: 'r-7',
    'custom parameters': sum,
    'wrong count': expect.stringMatching(/^refused: 400: tensor "INPUT0" of shape \[1, 4\] needs 4 elements/),
    async: [[-9, -18, -27, -36]],
    statistics: true,
    'all statistics': 1,
    unload: null,
    'unloaded ready': false,
    'unloaded infer': expect.stringMatching(/^refused: 503/),
    'unloaded index': 'UNAVAILABLE',
    load: null,
    'loaded ready': true,
    'load missing': expect.stringMatching(/^refused: 404/),
    'unload missing': expect.stringMatching(/^refused: 404/),
    'kserve live': true,
    'kserve ready': true,
    'kserve model ready': true,
    'kserve json': sum,
    'kserve binary': sum,
  });
});

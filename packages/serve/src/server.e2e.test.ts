import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { IngotError } from '@ingot/core/errors';
import type { ModelSource, ResolvedModel, ServablePackage } from '@ingot/core/serving/runtime';
import { afterAll, describe, expect, test } from 'vitest';
import { type ModelServer, type ModelServerOptions, startModelServer } from './server.ts';
import { NO_PYTHON, TEST_PYTHON, TestDirectories, WORKER_DIRECTORY } from './testing/python-packages.ts';
import { TinyModels } from './testing/tiny-models.ts';

const directories = new TestDirectories();
const servers: ModelServer[] = [];
afterAll(async () => {
  for (const server of servers.splice(0)) await server.close();
  await directories[Symbol.asyncDispose]();
});

async function start(
  source: ModelSource,
  rest: Partial<ModelServerOptions>,
  python: Partial<ModelServerOptions['python']> = {},
): Promise<ModelServer> {
  const server = await startModelServer({
    source,
    sources: ['churn@production'],
    port: 0,
    followIntervalMs: 100,
    python: {
      workerDirectory: WORKER_DIRECTORY,
      environmentsDirectory: await directories.make(),
      environment: { PATH: '/usr/bin:/bin' },
      temporaryDirectory: '/tmp',
      env: 'none',
      python: TEST_PYTHON,
      ...python,
    },
    log: () => {},
    ...rest,
  });
  servers.push(server);
  return server;
}

/** A registry with one alias, whose store may be taken away. */
class OneAlias implements ModelSource {
  readonly packages: readonly ServablePackage[];
  production = 1;
  outage = false;

  constructor(packages: readonly ServablePackage[]) {
    this.packages = packages;
  }

  async resolve(source: string): Promise<ResolvedModel> {
    if (this.outage) throw new IngotError('unavailable', 'the store does not answer');
    const number = this.production;
    const { manifest } = await this.fetch({ number });
    return { source, model: 'churn', modelId: 'id', number, digest: manifest };
  }

  async fetch({ number }: { readonly number: number }): Promise<ServablePackage> {
    const found = this.packages[number - 1];
    if (found === undefined) throw new IngotError('version-not-found', `no version ${number}`);
    return found;
  }
}

function versionThatAnswers(value: number): Promise<ServablePackage> {
  const text =
    `class Model:\n    def predict(self, rows):\n        return [${value}.0] * len(rows)\n` +
    'def load_model():\n    return Model()\n';
  return directories.package(
    { 'interface.py': text },
    {
      signature: {
        inputs: [{ name: 'x', type: 'float' }],
        outputs: [{ name: 'y', type: 'float' }],
        origin: 'metadata',
      },
    },
  );
}

interface Answer {
  readonly predictions: readonly number[];
  readonly version: string;
}

async function predict(url: string, x = 1): Promise<Answer> {
  const response = await fetch(`${url}/predict/churn`, {
    method: 'POST',
    body: JSON.stringify([{ x }]),
    headers: { 'content-type': 'application/json' },
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

describe.skipIf(NO_PYTHON)('a server with Python workers', () => {
  test('a swap under load loses no request and every answer is of one version', async () => {
    const registry = new OneAlias([await versionThatAnswers(1), await versionThatAnswers(2)]);
    const { url } = await start(registry, {});
    const answers: Answer[] = [];
    let stop = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stop) answers.push(await predict(url));
    });
    for (const production of [2, 1, 2]) {
      registry.production = production;
      await until(() => answers.at(-1)?.version === String(production));
    }
    stop = true;
    await Promise.all(clients);
    expect(answers.length).toBeGreaterThan(50);
    for (const { predictions, version } of answers) expect(predictions).toEqual([Number(version)]);
  });

  test('a new version and a replaced worker start in a process that has imported the libraries already', async () => {
    const text =
      'import os, sys\nWARM = "pandas" in sys.modules\nimport pandas\nclass Model:\n    def predict(self, rows):\n' +
      '        if rows["x"].iloc[0] == 666: os._exit(3)\n        return [float(WARM)] * len(rows)\n' +
      'def load_model():\n    return Model()\n';
    const versions = [text, `${text}# 2\n`].map((source) => directories.package({ 'interface.py': source }));
    const registry = new OneAlias(await Promise.all(versions));
    const lines: string[] = [];
    const temporaryDirectory = await directories.make();
    const server = await start(
      registry,
      { log: (_level, line) => lines.push(line) },
      { spareDelayMs: 0, temporaryDirectory },
    );
    const times = (text: string): number => lines.filter((line) => line.includes(text)).length;
    const spareWaits = (count: number): Promise<void> => until(() => times('a spare Python process waits') === count);
    expect((await predict(server.url)).predictions).toEqual([0]);
    await spareWaits(1);
    expect(running(temporaryDirectory)).toBe(2);
    registry.production = 2;
    await until(async () => (await predict(server.url)).version === '2');
    expect((await predict(server.url)).predictions).toEqual([1]);
    await spareWaits(2);
    await expect(predict(server.url, 666)).rejects.toThrow('model-failed');
    expect((await predict(server.url)).predictions).toEqual([1]);
    expect(times('the spare Python process is taken')).toBe(2);
    await server.close();
    expect(running(temporaryDirectory)).toBe(0);
  });

  test('a lost store is survived and shown', async () => {
    const registry = new OneAlias([await versionThatAnswers(1)]);
    const server = await start(registry, {});
    registry.outage = true;
    await until(() => server.host.index()[0]?.staleSince !== undefined);
    expect(await predict(server.url)).toMatchObject({ predictions: [1], version: '1' });
  });

  test('closing waits for the request that runs and leaves no worker behind', async () => {
    const text =
      'import os, time\nclass Model:\n    def predict(self, rows):\n        time.sleep(0.5)\n        return [float(os.getpid())] * len(rows)\n' +
      'def load_model():\n    return Model()\n';
    const registry = new OneAlias([await directories.package({ 'interface.py': text })]);
    const server = await start(registry, {});
    const running = predict(server.url);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.close();
    const [pid = 0] = (await running).predictions;
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

test('a taken port is an error that names a free one', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(start(new TinyModels({ 'churn@production': 1 }), { port })).rejects.toMatchObject({
    code: 'port-in-use',
    message: expect.stringMatching(/^port \d+ on 127\.0\.0\.1 is taken; \d+ is free$/),
    hint: expect.stringMatching(/--port \d+$/),
  });
  other.close();
});

test('a model that does not load ends the start and frees the port', async () => {
  const models = new TinyModels({ 'churn@production': 1 });
  models.broken.set(1, new IngotError('model-failed', 'no weights'));
  await expect(start(models, { runtimes: [models.runtime()] })).rejects.toMatchObject({
    message: 'churn:1: no weights',
  });
});

/** How many workers run whose sockets were made in this directory. */
function running(temporaryDirectory: string): number {
  const commands = execFileSync('ps', ['-Ao', 'args='], { encoding: 'utf8' }).split('\n');
  return commands.filter((command) => command.includes(`--socket ${temporaryDirectory}`)).length;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('waited for 30 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

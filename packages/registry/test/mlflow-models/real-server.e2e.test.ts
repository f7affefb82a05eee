import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOnce } from '../../../../conformance/cli/build-once.ts';
import { runIngot, workDirectory } from '../../../../conformance/cli/run-case.ts';
import { findMlflow } from '../../../core/test/servers/mlflow.ts';
import { needServer } from '../../../core/test/servers/need-server.ts';
import { freePort } from '../../../core/test/servers/server.ts';

const MODEL = {
  MLmodel: JSON.stringify({
    flavors: { python_function: { loader_module: 'mine', code: 'code', python_version: '3.11.7' } },
    mlflow_version: '3.17.2',
    run_id: '0123456789abcdef0123456789abcdef',
    signature: { inputs: '[{"type": "double", "name": "a", "required": true}]', outputs: null },
  }),
  'requirements.txt': 'pandas==3.1.1\n',
  'code/mine.py': 'def _load_pyfunc(path):\n    return None\n',
};

/** The MLflow server itself; disposing it ends it with all its workers. */
async function mlflowServer(mlflow: string, directory: string): Promise<AsyncDisposable & { readonly url: string }> {
  const port = String(await freePort());
  const words = ['server', '--backend-store-uri', `sqlite:///${directory}/db`, '--port', port, '--workers', '1'];
  const child = spawn(mlflow, [...words, '--artifacts-destination', join(directory, 'artifacts')], {
    cwd: directory,
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env.PATH, HOME: directory, MLFLOW_DISABLE_TELEMETRY: 'true' },
  });
  const url = `http://127.0.0.1:${port}`;
  const ended = new Promise((resolve) => child.on('close', resolve));
  const isUp = (): Promise<boolean> =>
    fetch(`${url}/health`).then(
      (reply) => reply.ok,
      () => false,
    );
  for (let look = 0; look < 600 && !(await isUp()); look += 1) await pause(250);
  const end = async (): Promise<void> => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    await ended;
  };
  return { url, [Symbol.asyncDispose]: end };
}

await needServer('mlflow', findMlflow, ({ bin }) =>
  describe('the real MLflow server as a source', () => {
    let work: ReturnType<typeof workDirectory>;
    let server: Awaited<ReturnType<typeof mlflowServer>>;
    let run = '';

    const api = async (route: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${server.url}/api/2.0/mlflow/${route}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      if (!reply.ok) throw new Error(`${route}: ${reply.status} ${await reply.text()}`);
      return JSON.parse(await reply.text());
    };

    const ingot = (...words: string[]) => runIngot(words, { cwd: work.path, env: { MLFLOW_TRACKING_URI: server.url } });

    /** Puts a model into the run and registers it; gives the number of its version. */
    async function register(folder: string, requirements: string): Promise<string> {
      const { artifact_uri: root } = (await api('runs/create', { experiment_id: '0' })).run.info;
      run = /\/([0-9a-f]{32})\//.exec(root)?.[1] ?? '';
      for (const [path, text] of Object.entries({ ...MODEL, 'requirements.txt': requirements })) {
        const address = `${root.replace('mlflow-artifacts:', '/api/2.0/mlflow-artifacts/artifacts')}/${folder}/${path}`;
        await fetch(`${server.url}${address}`, { method: 'PUT', body: text });
      }
      const source = `${root}/${folder}`;
      return (await api('model-versions/create', { name: 'churn', source, run_id: run })).model_version.version;
    }

    beforeAll(async () => {
      await buildOnce();
      work = workDirectory();
      server = await mlflowServer(join(bin, 'mlflow'), work.path);
      await api('registered-models/create', { name: 'churn' });
      const version = await register('model', 'pandas==3.1.1\n');
      await api('registered-models/alias', { name: 'churn', alias: 'prod', version });
      await api('model-versions/transition-stage', {
        name: 'churn',
        version,
        stage: 'Production',
        archive_existing_versions: false,
      });
    }, 300_000);

    afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
      work?.[Symbol.dispose]();
    });

    it.each(['models:/churn/1', 'models:/churn@prod', 'models:/churn/Production', 'models:/churn/latest', 'runs'])(
      'gives the model of %s with its environment and signature',
      async (address) => {
        const source = address === 'runs' ? `runs:/${run}/model` : address;
        const output = address.replace(/\W+/g, '-');
        const pulled = await ingot('pull', source, '-o', output, '--json');
        expect(pulled.status, pulled.stderr).toBe(0);
        const told = JSON.parse(pulled.stdout);
        expect(told.package).toMatchObject({
          flavor: 'mlflow',
          requirements: ['pandas==3.1.1'],
          pythonVersion: '3.11.7',
          signature: { inputs: [{ name: 'a', type: 'float' }] },
        });
        expect(await readFile(join(work.path, output, 'code/mine.py'), 'utf8')).toBe(MODEL['code/mine.py']);
        if (address !== 'runs') expect(told).toMatchObject({ model: 'churn', version: 1 });
      },
    );

    it('is asked again: an alias that has moved leads to the other version', async () => {
      const version = await register('again', 'pandas==3.0.0\n');
      await api('registered-models/alias', { name: 'churn', alias: 'prod', version });
      const pulled = await ingot('pull', 'models:/churn@prod', '-o', 'moved', '--json');
      expect(JSON.parse(pulled.stdout)).toMatchObject({ version: 2, package: { requirements: ['pandas==3.0.0'] } });
    });

    it('says what it does not have, in a form that ends with 3', async () => {
      const missing = await Promise.all(
        ['models:/nope/1', 'models:/churn/9', `runs:/${run}/none`].map((source) =>
          ingot('pull', source, '-o', 'none', '--json'),
        ),
      );
      expect(missing.map(({ status }) => status)).toEqual([3, 3, 3]);
    });

    it('need be named: without MLFLOW_TRACKING_URI the next step is told', async () => {
      const { status, stderr } = await runIngot(['pull', 'models:/churn/1'], { cwd: work.path });
      expect(status).toBe(2);
      expect(stderr).toContain('MLFLOW_TRACKING_URI=');
    });
  }),
);

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect } from '@ingot/client/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOnce } from '../../../../conformance/cli/build-once.ts';
import { BINARY, runIngot, workDirectory } from '../../../../conformance/cli/run-case.ts';
import { worldOf } from '../../../../conformance/world.ts';
import { findMlflow } from '../../../core/test/servers/mlflow.ts';
import { needServer } from '../../../core/test/servers/need-server.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
/** Too large for every run: where `npm run frameworks -- torch` has made its environment, models of it are tried, too. */
const TORCH = join(ROOT, '.cache/frameworks/torch');
const CLIENT = fileURLToPath(new URL('log_and_load.py', import.meta.url));

const FILES = {
  'double/interface.py':
    'from halves import twice\n\n\nclass Model:\n    def predict(self, table):\n        return [twice(a) for a in table["a"]]\n\n\ndef load_model():\n    return Model()\n',
  'double/halves.py': 'def twice(value):\n    return value * 2\n',
  'double/requirements.txt': 'pandas\n',
  'double/metadata.yaml':
    'input_features: [{name: a, type: float}, {name: b, type: float}]\noutput: [{name: y, type: float}]\n',
  'rows.json': '[{"a": 0, "b": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3, "b": 3}]',
};

interface Running extends AsyncDisposable {
  readonly url: string;
}

/** Starts a server of the command line, and waits until it says where it is. */
async function started(words: readonly string[], cwd: string, env: Record<string, string>): Promise<Running> {
  const child = spawn(process.execPath, [BINARY, ...words], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  return { url: String(JSON.parse(String(line.value)).url), [Symbol.asyncDispose]: stop };
}

interface Line {
  readonly model: string;
  readonly missing?: boolean;
  readonly run: string;
  readonly got: readonly number[];
  readonly want: readonly number[];
}

/** Variables of a process that is a client of MLflow. */
function clientEnv(bin: string, cwd: string, url: string): Record<string, string> {
  return {
    ...worldOf(cwd),
    PATH: `${bin}:${process.env.PATH}`,
    MLFLOW_TRACKING_URI: url,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    ...(existsSync(TORCH) && { TORCH }),
  };
}

await needServer('mlflow', findMlflow, ({ bin }) =>
  describe('models of the real MLflow client', () => {
    let work: ReturnType<typeof workDirectory>;
    let server: Running;
    let lines: readonly Line[];

    beforeAll(async () => {
      await buildOnce();
      work = workDirectory(FILES);
      const cwd = work.path;
      const pushed = await runIngot(['push', 'double', '--name', 'double', '--alias', 'prod'], { cwd });
      expect(pushed.status, pushed.stderr).toBe(0);
      server = await started(['up', '--port', '0', '--json'], cwd, {
        ...worldOf(cwd),
        INGOT_STATE: join(cwd, 'state'),
      });
      const env = clientEnv(bin, cwd, server.url);
      const options = { cwd, env, timeout: 600_000, maxBuffer: 1 << 26 };
      const { stdout } = await promisify(execFile)(join(bin, 'python'), [CLIENT, 'models:/double@prod'], options);
      lines = stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line));
    }, 600_000);

    afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
      work?.[Symbol.dispose]();
    });

    it.for(['sklearn', 'xgboost', 'lightgbm', 'onnx', 'pyfunc', 'torch (needs npm run frameworks -- torch)'])(
      'answer the same when they come back by their alias: %s',
      (kind, { skip }) => {
        const line = lines.find(({ model }) => model === kind.split(' ')[0]);
        if (line?.missing) return skip(`${line.model} is not installed`);
        expect(line?.want.length).toBeGreaterThan(0);
        for (const [n, value] of line?.want.entries() ?? []) expect(line?.got[n]).toBeCloseTo(value, 5);
      },
    );

    it('have files of any name, which are listed and come back as they were', () => {
      expect(lines.find(({ model }) => model === 'files')).toEqual({ model: 'files', listed: true, same: true });
    });

    it('load what Ingot has pushed, with modules of its own', () => {
      expect(lines.find(({ model }) => model === 'models:/double@prod')?.got).toEqual([0, 2, 4, 6]);
    });

    it('are versions of Ingot with flavor, signature, environment, run and metrics, kept by a root each', async () => {
      const shown = await runIngot(['show', 'sklearn@prod', '--json'], { cwd: work.path });
      const { version } = JSON.parse(shown.stdout);
      expect(version).toMatchObject({
        number: 1,
        flavor: 'sklearn',
        metrics: { auc: 0.9 },
        params: { c: '1' },
        signature: {
          inputs: [
            { name: 'a', type: 'float' },
            { name: 'b', type: 'float' },
          ],
        },
        lineage: { run: lines.find(({ model }) => model === 'sklearn')?.run },
      });
      expect(version.environment.requirements).toContainEqual(expect.stringMatching(/^scikit-learn/));
      const roots = await readdir(join(work.path, 'store/roots/logged-models'));
      expect(roots).toHaveLength(lines.filter(({ want }) => want !== undefined).length);
      const root = await readFile(join(work.path, 'store/roots/logged-models', roots[0] ?? ''), 'utf8');
      expect(JSON.parse(root).packs.length).toBeGreaterThan(0);
    });

    it('answer the same through ingot, from the store and as models:/ of the server, which mean the same bytes', async () => {
      const cwd = work.path;
      const env = clientEnv(bin, cwd, server.url);
      const want = lines.find(({ model }) => model === 'sklearn')?.want;
      for (const source of ['sklearn@prod', 'models:/sklearn@prod']) {
        await using served = await started(['serve', source, '--port', '0', '--env', 'none', '--json'], cwd, env);
        const { predictions } = await connect(served.url).model('sklearn').predict(JSON.parse(FILES['rows.json']));
        expect(predictions, source).toEqual(want);
      }
      const pulled = await runIngot(['pull', 'models:/sklearn/1', '-o', 'pulled', '--json'], { cwd, env });
      const shown = await runIngot(['show', 'sklearn:1', '--json'], { cwd });
      expect(JSON.parse(pulled.stdout).digest).toBe(JSON.parse(shown.stdout).version.manifest);
      const open = await runIngot(['pull', 'models:/sklearn@nope', '-o', 'none'], { cwd, env });
      expect(open.status).toBe(3);
    });
  }),
);

import { spawn } from 'node:child_process';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '@ingot/client/connect';
import { ModelServerError } from '@ingot/client/errors';
import { beforeAll, describe, expect, it } from 'vitest';
import { worldOf } from '../world.ts';
import { ADDER } from './adder.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

const WORK = {
  ...ADDER,
  'rows.json': '[{"a": 1, "b": 2}, {"a": 3, "b": 4}]',
  'rows.csv': 'a,b\n5,6\n',
  'wrong.json': '[{"a": "one"}]',
};

beforeAll(buildOnce);

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly models: readonly { readonly model: string; readonly version: string }[];
  stop(): Promise<number | null>;
}

/** Starts a server on a free port and waits until it says where. */
async function serve(cwd: string, ...sources: string[]): Promise<Served> {
  const words = [BINARY, 'serve', ...sources, '--port', '0', '--env', 'none', '--json'];
  const child = spawn(process.execPath, words, { cwd, env: worldOf(cwd), stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const line: IteratorResult<string> = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (line.done === true) throw new Error(`ingot serve ended: ${stderr}`);
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    return ended;
  };
  return { ...JSON.parse(line.value), stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

describe('ingot serve and ingot predict', () => {
  it('serve a pushed package, answer, follow the alias, go on without the store, and end with 0', async () => {
    using directory = workDirectory(WORK);
    const cwd = directory.path;
    await runIngot(['push', 'add', '--alias', 'production'], { cwd });
    await using served = await serve(cwd, 'add@production');
    expect(served.models).toMatchObject([{ model: 'add', version: '1' }]);
    const add = connect(served.url).model<{ a: number; b: number }, number>('add');
    expect(await add.predict([{ a: 1, b: 2 }])).toMatchObject({ predictions: [3], model: 'add', version: '1' });

    const asked = await runIngot(['predict', 'add@production', '-f', 'rows.csv', '--url', served.url], { cwd });
    expect(asked).toMatchObject({ status: 0, stdout: '11\n' });
    const taken = await runIngot(['serve', 'add', '--port', new URL(served.url).port, '--env', 'none'], { cwd });
    expect(taken.status).toBe(5);
    expect(taken.stderr).toMatch(/error\[port-in-use\]: port \d+ on 127\.0\.0\.1 is taken; \d+ is free/);

    await runIngot(['push', 'add', '--alias', 'production'], { cwd });
    renameSync(join(cwd, 'store'), join(cwd, 'gone'));
    expect((await add.predict([{ a: 2, b: 2 }])).predictions).toEqual([4]);
    expect(await served.stop()).toBe(0);
    await using again = await serve(cwd, 'add@production');
    expect(
      (
        await connect(again.url)
          .model('add')
          .predict([{ a: 3, b: 3 }])
      ).predictions,
    ).toEqual([6]);
  });

  it('give a caller typed errors, and keep the traceback to the server', async () => {
    using directory = workDirectory(WORK);
    const cwd = directory.path;
    await runIngot(['push', 'add'], { cwd });
    await using served = await serve(cwd, 'add');
    const client = connect(served.url, { retries: 0 });
    const failure = async (model: string, rows: readonly Record<string, unknown>[]): Promise<ModelServerError> => {
      const thrown = await client
        .model(model)
        .predict(rows)
        .catch((error: unknown) => error);
      if (thrown instanceof ModelServerError) return thrown;
      throw new Error(`expected a ModelServerError, got ${String(thrown)}`);
    };
    expect(await client.models()).toEqual(['add']);
    expect([await client.ready(), await client.model('add').ready(), await client.model('sub').ready()]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await failure('sub', [])).toMatchObject({ code: 'model-not-found', status: 404 });
    expect(await failure('add', [{ a: 'one' }])).toMatchObject({ code: 'signature-mismatch', status: 422 });
    const failed = await failure('add', [{ a: 13, b: 0 }]);
    expect(failed).toMatchObject({
      code: 'model-failed',
      status: 500,
      message: expect.stringContaining('RuntimeError: thirteen'),
    });
    expect(failed.message).not.toContain('Traceback');
  });

  it('predict with a model of its own, from JSON, CSV and stdin, into a file', async () => {
    using directory = workDirectory(WORK);
    const cwd = directory.path;
    const env = { INGOT_ENV: 'none' };
    await runIngot(['push', 'add', '--quiet'], { cwd });
    const json = await runIngot(['predict', 'add', '-f', 'rows.json', '--json'], { cwd, env });
    expect(JSON.parse(json.stdout)).toEqual({
      predictions: [3, 7],
      model: 'add',
      version: '1',
      digest: expect.stringMatching(/^sha256:/),
    });
    const piped = await runIngot(['predict', 'add:1', '-f', '-', '-o', 'out.json'], { cwd, env, stdin: 'a,b\n5,6\n' });
    expect(piped).toMatchObject({ status: 0, stdout: 'out.json\n' });
    const wrong = await runIngot(['predict', 'add', '-f', 'wrong.json', '--json'], { cwd, env });
    expect(wrong.status).toBe(1);
    expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'signature-mismatch' } });
  });
});

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

/** A model that takes as long as its row says. */
const SLOW = {
  'slow/interface.py': `import time


class Slow:
    def predict(self, rows):
        rows = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
        time.sleep(max(row["x"] for row in rows))
        return [row["x"] for row in rows]


def load_model():
    return Slow()
`,
  'slow/metadata.yaml': 'name: slow\ninput_features:\n- {name: x, type: float}\noutput:\n- {name: y, type: float}\n',
};

/** The model that the client's README calls. */
const CHURN = {
  'churn/interface.py': `class Churn:
    def predict(self, rows):
        rows = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
        return [0.79 if row["tenure"] < 12 else 0.21 for row in rows]


def load_model():
    return Churn()
`,
  'churn/metadata.yaml':
    'name: churn\ninput_features:\n- {name: tenure, type: float}\n- {name: plan, type: string}\noutput:\n- {name: y, type: float}\n',
};

beforeAll(buildOnce);

async function serve(cwd: string, ...words: string[]) {
  const all = [BINARY, 'serve', ...words, '--port', '0', '--env', 'none', '--json'];
  const child = spawn(process.execPath, all, { cwd, env: worldOf(cwd), stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const line: IteratorResult<string> = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (line.done === true) throw new Error(`ingot serve ended: ${stderr}`);
  const told: { readonly url: string; readonly models: readonly unknown[] } = JSON.parse(line.value);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { ...told, child, ended, said: () => stderr, [Symbol.asyncDispose]: stop };
}

describe('the client', () => {
  it('gets a prediction with the example of its README', async () => {
    using directory = workDirectory(CHURN);
    await runIngot(['push', 'churn'], { cwd: directory.path });
    await using served = await serve(directory.path, 'churn');
    const client = fileURLToPath(new URL('../../packages/client/', import.meta.url));
    const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(client, 'README.md'), 'utf8')) ?? [];
    const place = mkdtempSync(join(client, 'example-'));
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    try {
      writeFileSync(join(place, 'example.ts'), code.replace('http://127.0.0.1:8080', served.url));
      await import(join(place, 'example.ts'));
      expect(said.mock.calls).toEqual([[0.79, '1']]);
    } finally {
      said.mockRestore();
      rmSync(place, { recursive: true });
    }
  });
});

describe('a serving process', () => {
  it('answers what runs when it is told to stop, also when the signal comes twice at once as under npx', async () => {
    using directory = workDirectory(SLOW);
    await runIngot(['push', 'slow'], { cwd: directory.path });
    await using served = await serve(directory.path, 'slow');
    const ask = fetch(`${served.url}/predict/slow`, { method: 'POST', body: '[{"x": 1.5}]' });
    await expect
      .poll(async () => (await fetch(`${served.url}/metrics`)).text())
      .toContain('ingot_requests_in_flight 2');
    served.child.kill('SIGINT');
    await expect.poll(served.said, { interval: 5 }).toContain('stopping');
    served.child.kill('SIGINT');
    const answer = await ask;
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(await answer.json()).toMatchObject({ predictions: [1.5] });
    expect(await served.ended).toBe(0);
  });

  it('tells its version and a source that was named twice once', async () => {
    using directory = workDirectory(SLOW);
    await runIngot(['push', 'slow'], { cwd: directory.path });
    await using served = await serve(directory.path, 'slow', 'slow');
    expect(served.models).toMatchObject([{ model: 'slow', sources: ['slow'] }]);
    const { stdout } = await runIngot(['--version'], { cwd: directory.path });
    expect(await (await fetch(`${served.url}/v2`)).json()).toMatchObject({ version: stdout.trim() });
    expect(served.said()).not.toContain('authentication');
  });

  it('warns when other machines reach it', async () => {
    using directory = workDirectory(SLOW);
    await runIngot(['push', 'slow'], { cwd: directory.path });
    await using served = await serve(directory.path, 'slow', '--host', '0.0.0.0');
    expect(served.said()).toMatch(/warn\s+0\.0\.0\.0 is reachable from other machines, and there is no authentication/);
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { testServer } from '../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../scripts/lib/servers/tools.mjs';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';

/** Downloaded packages of Debian and wheels stay from one run to the next. */
const CACHE = fileURLToPath(new URL('../../.cache/images', import.meta.url));

const METADATA = 'name: team/churn\ninput_features:\n- {name: x, type: float}\noutput:\n- {name: y, type: float}\n';
/** It loads in the image alone. */
const model = (factor: number): string => `import six

assert six.__file__.startswith("/opt/ingot/environment/"), six.__file__


class Churn:
    def predict(self, rows):
        rows = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
        return [row["x"] * ${factor} for row in rows]


def load_model():
    return Churn()
`;

/** What asks from within, where nothing from without can. */
const ASK = `ingot serve & server=$!
until healthy 2> /dev/null; do :; done
node -e 'fetch("http://127.0.0.1:8080/v2/models/team%2Fchurn/infer", { method: "POST", body: process.argv[1] }).then(async (answer) => console.log(JSON.stringify([answer.headers.get("ingot-model-version"), answer.headers.get("ingot-model-digest"), await answer.json()])))' '{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[0.3]}]}'
kill $server; wait $server; echo "ended $?"`;

interface Sandbox {
  /** Runs words in the unpacked image: read-only, as a user without a name, and without a network unless it is shared. */
  command(words: readonly string[], more?: readonly string[]): readonly [string, readonly string[]];
  readonly env: NodeJS.ProcessEnv;
}

/** Bakes once for all tests; rejects with what keeps this machine from it. */
async function bakeAndUnpack(directory: string): Promise<Sandbox> {
  const [umoci, bubblewrap] = [await testServer('umoci'), await testServer('bubblewrap')];
  await buildOnce();
  mkdirSync(CACHE, { recursive: true });
  const started = Date.now();
  const outside = Object.entries(process.env).filter(([name]) => /^(?:UV_|PIP_|SSL_|[A-Za-z]+_PROXY$)/.test(name));
  const env = { ...Object.fromEntries(outside.map(([name, text]) => [name, text ?? ''])), INGOT_CACHE: CACHE };
  await runIngot(['push', 'churn', '--alias', 'production'], { cwd: directory });
  const words = ['bake', 'team/churn@production', '--base', 'debian-packages', '-o', 'oci:image:churn', '--json'];
  const baked = await runIngot(words, { cwd: directory, env });
  if (baked.status !== 0) throw new Error(baked.stderr);
  const layers = join(CACHE, 'images/layers');
  for (const name of readdirSync(layers))
    if (statSync(join(layers, name)).mtimeMs < started) rmSync(join(layers, name), { force: true }); // of older sources
  const bundle = join(directory, 'bundle');
  const umociPath = join(umoci, 'usr/bin/umoci');
  const run = spawnSync(umociPath, ['unpack', '--rootless', '--image', `${directory}/image:churn`, bundle]);
  if (run.status !== 0) throw new Error(`umoci: ${run.stderr}`);
  const { process: entry } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  expect(entry).toMatchObject({ args: ['/opt/ingot/bin/ingot', 'serve'], user: { uid: 65532, gid: 65532 } });
  const variables: string[] = entry.env.flatMap((line: string) => {
    const at = line.indexOf('=');
    return ['--setenv', line.slice(0, at), line.slice(at + 1)];
  });
  const inside = ['--unshare-all', '--die-with-parent', '--as-pid-1', '--uid', '54321', '--gid', '0', '--clearenv'];
  const root = ['--ro-bind', join(bundle, 'rootfs'), '/', '--proc', '/proc', '--dev', '/dev'];
  return {
    command: (inner, more = []) => [
      join(bubblewrap, 'usr/bin/bwrap'),
      [...inside, ...variables, ...root, ...more, '--', ...inner],
    ],
    env: { LD_LIBRARY_PATH: librariesOf(bubblewrap) },
  };
}

const work = workDirectory({
  'churn/interface.py': model(10),
  'churn/metadata.yaml': METADATA,
  'churn/requirements.txt': 'six==1.17.0\n',
  'second/interface.py': model(20),
  'second/metadata.yaml': METADATA,
  'second/requirements.txt': 'six==1.17.0\n',
});
afterAll(() => work[Symbol.dispose]());
const sandbox = await bakeAndUnpack(work.path).catch((error: unknown) => {
  if (process.env.CI === 'true') throw error;
  return String(error).split('\n')[0];
});

describe.skipIf(typeof sandbox === 'string')(
  `an image that was baked${typeof sandbox === 'string' ? ` cannot be had here: ${sandbox}` : ''}`,
  () => {
    if (typeof sandbox === 'string' || sandbox === undefined) return it('is skipped', () => {});

    it('answers with no network, no registry and nothing to write to, and says which version that was', async () => {
      const [command, words] = sandbox.command(['/bin/sh', '-c', ASK]);
      const { stdout, stderr } = spawnSync(command, words, { env: sandbox.env, encoding: 'utf8', timeout: 60_000 });
      const shown = await runIngot(['show', 'team/churn:1', '--json'], { cwd: work.path });
      const [version, digest, answer] = JSON.parse(/^\["1".*$/m.exec(stdout)?.[0] ?? `"${stderr}"`);
      expect(shown.stdout).toContain(digest);
      expect(version).toBe('1');
      expect(answer.outputs).toEqual([{ name: 'y', datatype: 'FP64', shape: [1], data: [3] }]);
      expect(stdout).toContain('ended 0');
    });

    it('serves what INGOT_MODELS names instead, follows its alias, and ends by itself as the first process', async () => {
      const [command, words] = sandbox.command(
        ['/opt/ingot/bin/ingot', 'serve'],
        [
          ...[
            '--share-net',
            '--json-status-fd',
            '3',
            '--tmpfs',
            '/var/cache/ingot',
            '--ro-bind',
            join(work.path, 'store'),
            '/boot',
          ],
          ...['--setenv', 'INGOT_MODELS', 'team/churn@production', '--setenv', 'INGOT_REGISTRY', '/boot'],
          ...['--setenv', 'INGOT_HOST', '127.0.0.1', '--setenv', 'INGOT_PORT', '0'],
        ],
      );
      const child = spawn(command, [...words, '--json'], {
        env: sandbox.env,
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      });
      const said: string[] = [];
      for (const stream of [child.stdout, child.stderr, child.stdio[3]])
        stream?.on('data', (piece: Buffer) => said.push(piece.toString()));
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      try {
        const find = async (pattern: RegExp): Promise<string> => {
          for (let n = 0; n < 600; n++, await sleep(50)) {
            const found = pattern.exec(said.join(''))?.[1];
            if (found !== undefined) return found;
          }
          throw new Error(said.join(''));
        };
        const url = await find(/"url":"([^"]+)"/);
        const body = JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'FP64', data: [0.5] }] });
        const ask = () => fetch(`${url}/v2/models/team%2Fchurn/infer`, { method: 'POST', body });
        expect((await ask()).headers.get('ingot-model-version')).toBe('1');

        await runIngot(['push', 'second', '--alias', 'production'], { cwd: work.path });
        let answer = await ask();
        for (let n = 0; n < 400 && answer.headers.get('ingot-model-version') !== '2'; n++, await sleep(50))
          answer = await ask();
        expect(await answer.json()).toMatchObject({ model_version: '2', outputs: [{ data: [10] }] });

        process.kill(Number(await find(/"child-pid": (\d+)/)), 'SIGTERM');
        expect(await ended).toBe(0);
      } finally {
        child.kill('SIGKILL');
      }
    });

    it('holds nothing of the machine it was baked on', () => {
      const root = join(work.path, 'bundle/rootfs');
      expect(existsSync(join(root, 'opt/ingot/licenses/node/LICENSE'))).toBe(true);
      const found = spawnSync('grep', ['-rlF', work.path, join(root, 'opt/ingot'), join(root, 'models')]);
      expect(found.stdout.toString()).toBe('');
    });
  },
);

/** `ingot reindex` over the logs of 100,000 versions. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibraries } from '../../scripts/build.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { measure as timed } from '../lib/measure.mjs';
import { emptied, HOME } from '../lib/registry-servers.mjs';
import { benchEnvironment } from '../lib/subjects.mjs';

const MODELS = 100;

export async function measure({ python, versions = 100_000 }) {
  const store = join(HOME, `events-${versions}`);
  if (!existsSync(`${store}.done`)) {
    rmSync(store, { recursive: true, force: true });
    mkdirSync(store, { recursive: true });
    await buildLibraries();
    await run(process.execPath, [inRoot('bench/lib/fill-events.mjs'), store, String(versions), String(MODELS)], {
      label: 'filling the store',
    });
    writeFileSync(`${store}.done`, '');
  }
  const home = emptied('rebuild');
  const env = {
    ...benchEnvironment(python),
    HOME: home,
    INGOT_REGISTRY: store,
    INGOT_STATE: join(home, 'state'),
    INGOT_CACHE: join(home, 'cache'),
  };
  const { wall, cpu, peakBytes, stdout } = await timed(process.execPath, [CLI_ENTRY, 'reindex', '--json'], { env });
  const report = JSON.parse(stdout);
  if (report.versions !== versions) throw new Error(`the rebuilt index holds ${report.versions} versions`);
  return {
    title: `The registry server’s index of ${versions.toLocaleString('en-US')} versions of ${MODELS} models, rebuilt from the logs`,
    columns: ['', 's', 'processor s', 'peak MiB'],
    rows: [['ingot reindex', wall.toFixed(1), cpu.toFixed(1), (peakBytes / 2 ** 20).toFixed(0)]],
    goals: [{ goal: 'at most 60 s', value: `${wall.toFixed(1)} s`, met: wall <= 60 }],
    notes: ['SQLite, a store in a directory, one file an event'],
  };
}

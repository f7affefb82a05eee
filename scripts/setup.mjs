/**
 * Brings a fresh clone to where `npx ingot`, the demo and the tests work: npm packages, build, Python environment, and
 * the servers that tests start. Each part is skipped when it is up to date, so a second run takes no time and no network.
 *
 *     npm run setup              all of it, as the tests need it
 *     npm run setup -- --demo    the smaller Python environment of the demo, and no servers
 *
 * What cannot be had is named; with CI=true that is a failure.
 */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { readOr } from './lib/files.mjs';
import { inRoot, pythonOf, VENV } from './lib/paths.mjs';
import { findPython, isEnvironmentReady, makeEnvironment } from './lib/python.mjs';
import { run } from './lib/run.mjs';
import { installServers, missingServers } from './lib/servers/test-servers.mjs';
import { green, red, seconds, step } from './lib/terminal.mjs';

/**
 * Sets up what is missing. `python` is `all` (tests), `demo` or `none`; `build: false` leaves the bundle alone.
 * Gives the environment's interpreter, or why there is none.
 */
export async function setup({ python = 'all', build = true } = {}) {
  if (!isInstalled()) await step('npm packages', installPackages);
  if (build) await bringBuildUpToDate();
  if (python === 'none') return { python: undefined, reason: 'not asked for' };
  if (isEnvironmentReady(python)) return { python: pythonOf(VENV), reason: undefined };
  const found = await findPython();
  if (found.python === undefined) return { python: undefined, reason: found.reason };
  const packages = python === 'demo' ? 'scikit-learn, pandas' : 'scikit-learn, pandas, fastapi, onnx, pytest';
  try {
    await step(`Python ${found.python.version.join('.')} environment with ${packages}`, () => makeEnvironment(found.python, python));
  } catch (error) {
    return { python: undefined, reason: error.message };
  }
  return { python: pythonOf(VENV), reason: undefined };
}

/** Brings the servers that tests start, and gives the reason for each that cannot be had: `{ nginx: '…' }`. */
export async function setupServers() {
  const names = missingServers();
  if (names.length === 0) return {};
  return await step(`test servers, once: ${names.join(', ')}`, (print) => installServers(names, (done) => print(lineOf(done))));
}

function lineOf({ name, error, tookMs }) {
  if (error === undefined) return `${green('✓', process.stderr)} ${name} ${seconds(tookMs)}`;
  const lines = error.message.split('\n').map((line) => line.trim());
  return `${red('✗', process.stderr)} ${name}: ${[...new Set([lines[0], lines.at(-1)])].join(': ')}`;
}

/** Whether `node_modules` holds every package of the lock file, at its version. */
export function isInstalled(lockText = readOr(inRoot('package-lock.json'), '{}'), installedText = readOr(inRoot('node_modules/.package-lock.json'), '{}')) {
  const wanted = Object.entries(JSON.parse(lockText).packages ?? {});
  const installed = JSON.parse(installedText).packages ?? {};
  return wanted.every(([path, entry]) => {
    if (!path.startsWith('node_modules/') || entry.optional || entry.peer) return true;
    const there = installed[path];
    return there !== undefined && there.version === entry.version && there.integrity === entry.integrity;
  });
}

async function bringBuildUpToDate() {
  const { buildCli, isCliBuilt } = await import('./build.mjs');
  if (!isCliBuilt()) await step('build', () => buildCli());
}

async function installPackages() {
  // `npm run` says which npm it is; its own install scripts stay off by `.npmrc`.
  const npm = process.env.npm_execpath;
  const [command, args] = npm?.endsWith('.js') && existsSync(npm) ? [process.execPath, [npm]] : ['npm', []];
  await run(command, [...args, 'ci', '--ignore-scripts', '--no-progress', '--loglevel=error'], { label: 'npm ci' });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    const forDemo = process.argv.includes('--demo');
    const { python, reason } = await setup({ python: forDemo ? 'demo' : 'all' });
    const without = [...(python ? [] : [`Python: ${reason}`]), ...(forDemo ? [] : Object.keys(await setupServers()))];
    console.error(without.length === 0 ? 'ready' : `ready, without ${without.join(', ')}`);
    if (without.length > 0 && process.env.CI === 'true') process.exitCode = 1;
  } catch (error) {
    console.error(`setup failed: ${error.message}`);
    process.exitCode = 1;
  }
}

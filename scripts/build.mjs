/**
 * Builds what `npx ingot` runs: one bundle of the command line in `packages/cli/dist`, with the Python worker beside it.
 * Nothing is done when no source changed since the last build. `--libraries` also emits `packages/{core,client,serve,registry}/dist`
 * for use from other programs, `--libraries=client` that of one; `--force` builds anyway; `--quiet` says nothing when all is well.
 */
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { filesUnder, fingerprintOfStats, readOr } from './lib/files.mjs';
import { LICENSES_FILE, modulesOf, thirdPartyLicenses } from './lib/licenses.mjs';
import { inRoot, ROOT } from './lib/paths.mjs';
import { run } from './lib/run.mjs';

const LIBRARIES = ['core', 'client', 'serve', 'registry'];
const DIST = inRoot('packages/cli/dist');
const STAMP = '.build';
const WORKER = inRoot('python/src/ingot/_worker');

const isSource = (path) => path.endsWith('.ts') && !/\.test\.ts$/.test(path);

/** Whether the bundle was made from the sources as they are now. */
export const isCliBuilt = () => readOr(join(DIST, STAMP), '') === fingerprintOfCli();

function fingerprintOfCli() {
  return fingerprintOfStats([
    ...['core', 'serve', 'client', 'registry', 'cli'].flatMap((name) => filesUnder(inRoot('packages', name, 'src'), isSource)),
    ...['core', 'serve', 'client', 'registry', 'cli'].map((name) => inRoot('packages', name, 'package.json')),
    ...filesUnder(WORKER),
    inRoot('package-lock.json'),
    inRoot('scripts/build.mjs'),
  ]);
}

/** Bundles the command line unless it is up to date. Says whether anything was built. */
export async function buildCli({ force = false } = {}) {
  const stamp = fingerprintOfCli();
  if (!force && readOr(join(DIST, STAMP), '') === stamp) return false;
  const staging = inRoot('packages/cli', `.dist-${process.pid}`);
  try {
    await bundle(staging);
    cpSync(WORKER, join(staging, 'worker'), { recursive: true, filter: (path) => !path.includes('__pycache__') });
    writeFileSync(join(staging, STAMP), stamp);
    install(staging);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return true;
}

/**
 * What a command loads lies in few files, for each costs a millisecond before anything runs: what help needs, what
 * completion needs besides, what every command needs of a store, and what pushing and loading take. A module lies in the
 * first group that names it or one that imports it.
 */
const CHUNK_GROUPS = [
  ['words', /cli\/src\/(?:verbs\/(?:help|verbs)|tool-version)\.ts$/],
  ['settings', /cli\/src\/(?:completion\/completions|process-host|settings\/(?:layers|settings))\.ts$/],
  ['store', /cli\/src\/(?:run-process|verbs\/parse|open|commands\/(?:ls|history|alias-set|promote|edit))\.ts$|core\/src\/blob\/local\.ts$/],
  ['models', /cli\/src\/(?:engine\/engine-process|commands\/(?:push|pull|show))\.ts$|core\/src\/content\/blob-content-store\.ts$/],
].map(([name, test], index) => ({ name, test, priority: 10 - index }));

/** Modules may import each other, and one that is loaded with others need not be loaded later. */
const EXPECTED = new Set(['CIRCULAR_DEPENDENCY', 'INEFFECTIVE_DYNAMIC_IMPORT']);

async function bundle(directory) {
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    input: { main: inRoot('packages/cli/src/main.ts') },
    cwd: ROOT,
    platform: 'node',
    // Native parts that clients do without where they are not built.
    external: ['onnxruntime-node', 'cpu-features', 'pg-native', '@photostructure/sqlite', '@node-rs/argon2', /\.node$/],
    // Node 20 does not know `using`.
    // Clients of storages that are CommonJS ask where they lie.
    transform: { target: 'node20.11', define: { __dirname: 'import.meta.dirname' } },
    // Of packages that come in both forms the modules are taken: of a client like Amazon's only what is used goes in.
    resolve: {
      conditionNames: ['ingot-source', 'module', 'import', 'node', 'default'],
      mainFields: ['module', 'main'],
      // The client of Postgres requires its pool and extends it: what a module exports by default is no class then.
      alias: { 'pg-pool': inRoot('node_modules/pg-pool/index.js') },
    },
    onLog(level, log, print) {
      if (!EXPECTED.has(log.code)) print(level, log);
    },
  });
  try {
    const { output } = await build.write({
      dir: directory,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name]-[hash].js',
      codeSplitting: { groups: CHUNK_GROUPS },
      minify: { compress: true, mangle: false, codegen: true },
    });
    writeFileSync(join(directory, LICENSES_FILE), thirdPartyLicenses(modulesOf(output)));
  } finally {
    await build.close();
  }
}

/** Moves the new files over the old ones one by one, so that a command that starts meanwhile finds a whole program. */
function install(staging) {
  const relatives = (directory) =>
    listAll(directory).map((path) => path.slice(directory.length + 1));
  const fresh = relatives(staging);
  const isEntry = (path) => path === 'main.js' || path === STAMP;
  for (const path of [...fresh.filter((path) => !isEntry(path)), ...fresh.filter(isEntry)]) {
    mkdirSync(dirname(join(DIST, path)), { recursive: true });
    renameSync(join(staging, path), join(DIST, path));
  }
  const keep = new Set(fresh);
  for (const path of relatives(DIST)) if (!keep.has(path)) rmSync(join(DIST, path), { force: true });
}

function listAll(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? listAll(path) : [path];
  });
}

/** Emits JavaScript and declarations of libraries; each sees the ones before it as an installed package would. */
export async function buildLibraries({ force = false, names = LIBRARIES } = {}) {
  for (const name of names) {
    const root = inRoot('packages', name);
    const sources = filesUnder(join(root, 'src'), isSource);
    const stamp = fingerprintOfStats([...sources, join(root, 'package.json'), inRoot('tsconfig.base.json')]);
    if (!force && readOr(join(root, 'dist', STAMP), '') === stamp) continue;
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    const project = join(root, `.tsconfig-${process.pid}.json`);
    writeFileSync(project, JSON.stringify(libraryProject()));
    try {
      await run(process.execPath, [inRoot('node_modules/typescript/bin/tsc'), '-p', project], { label: `build of @ingot/${name}` });
    } finally {
      rmSync(project, { force: true });
    }
    writeFileSync(join(root, 'dist', STAMP), stamp);
  }
}

function libraryProject() {
  return {
    extends: '../../tsconfig.base.json',
    compilerOptions: { outDir: 'dist', rootDir: 'src', customConditions: [], noEmit: false, stripInternal: true },
    include: ['src/**/*.ts'],
    exclude: ['src/**/*.test.ts', 'src/**/testing/**'],
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const flags = new Set(process.argv.slice(2));
  const force = flags.has('--force');
  const named = [...flags].find((flag) => flag.startsWith('--libraries='))?.split('=')[1];
  const names = named?.split(',') ?? (flags.has('--libraries') ? LIBRARIES : []);
  try {
    const started = performance.now();
    const built = await buildCli({ force });
    await buildLibraries({ force, names });
    if (!flags.has('--quiet')) {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.error(built || names.length > 0 ? `built in ${seconds} s` : 'up to date');
    }
  } catch (error) {
    console.error(`build failed: ${error.message}`);
    process.exitCode = 1;
  }
}

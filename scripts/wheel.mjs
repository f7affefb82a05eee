/**
 * Builds `dist/ingot-<version>-py3-none-any.whl` from a clone: the Python package with the engine inside, for every
 * platform, with Node.js as a dependency. Needs no Python; the same sources give the same bytes.
 *
 *     npm run wheel                  into dist/
 *     npm run wheel -- --out DIR     into another directory
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { parse } from 'smol-toml';
import { buildCli } from './build.mjs';
import { filesUnder } from './lib/files.mjs';
import { LICENSES_FILE } from './lib/licenses.mjs';
import { inRoot } from './lib/paths.mjs';
import { zip } from './lib/zip.mjs';

const SOURCES = inRoot('python/src');
const ENGINE = 'ingot/_engine';

/** Builds the engine where it is out of date, and the wheel. Gives its path and size in bytes. */
export async function buildWheel({ out = inRoot('dist') } = {}) {
  await buildCli();
  const { project, tool } = parse(readFileSync(inRoot('python/pyproject.toml'), 'utf8'));
  checkVersions(project.version);
  const info = `${project.name}-${project.version}.dist-info`;
  const files = [...packageFiles(), ...engineFiles(project.version), ...infoFiles(info, project, tool['ingot-wheel'].dependencies)];
  const wheel = zip([...files, [`${info}/RECORD`, record(files, info)]]);
  const path = join(out, `${project.name}-${project.version}-py3-none-any.whl`);
  mkdirSync(out, { recursive: true });
  writeFileSync(`${path}.new`, wheel);
  renameSync(`${path}.new`, path);
  return { path, sizeBytes: wheel.length, files: files.length + 1 };
}

/** One version number for both halves: whoever changes one place is told of the others. */
function checkVersions(version) {
  const places = { 'packages/cli/package.json': /"version": "([^"]+)"/, 'python/src/ingot/_version.py': /__version__ = "([^"]+)"/ };
  for (const [path, pattern] of Object.entries(places)) {
    const found = pattern.exec(readFileSync(inRoot(path), 'utf8'))?.[1];
    if (found !== version) throw new Error(`${path} says version ${found}, and python/pyproject.toml ${version}`);
  }
}

function packageFiles() {
  const isShipped = (path) => (path.endsWith('.py') || path.endsWith('py.typed')) && !path.includes('/_engine/');
  const inside = filesUnder(join(SOURCES, 'ingot'), isShipped).sort();
  return [...inside, join(SOURCES, 'ingot_command.py')].map((path) => [relative(SOURCES, path).replaceAll('\\', '/'), readFileSync(path)]);
}

/** What `npx ingot` runs, without the worker's files, which the Python package has already. */
function engineFiles(version) {
  const root = inRoot('packages/cli');
  const isRun = (path) => path.endsWith('.js');
  const paths = ['bin', 'dist'].flatMap((name) => filesUnder(join(root, name), isRun)).sort();
  const stated = { name: 'ingot', version, type: 'module', license: 'Apache-2.0' };
  return [
    ...paths.map((path) => [`${ENGINE}/${relative(root, path).replaceAll('\\', '/')}`, readFileSync(path)]),
    [`${ENGINE}/package.json`, Buffer.from(`${JSON.stringify(stated)}\n`)],
  ];
}

function infoFiles(info, project, dependencies) {
  const license = readFileSync(inRoot('LICENSE'));
  return [
    [`${info}/METADATA`, Buffer.from(metadata(project, dependencies))],
    [`${info}/WHEEL`, Buffer.from('Wheel-Version: 1.0\nGenerator: ingot\nRoot-Is-Purelib: true\nTag: py3-none-any\n')],
    [`${info}/entry_points.txt`, Buffer.from(entryPoints(project))],
    [`${info}/licenses/LICENSE`, license],
    [`${info}/licenses/${LICENSES_FILE}`, readFileSync(inRoot('packages/cli/dist', LICENSES_FILE))],
    [`${info}/top_level.txt`, Buffer.from('ingot\ningot_command\n')],
  ];
}

function metadata(project, dependencies) {
  const extras = Object.entries(project['optional-dependencies'] ?? {});
  const lines = [
    'Metadata-Version: 2.4',
    `Name: ${project.name}`,
    `Version: ${project.version}`,
    `Summary: ${project.description}`,
    `License-Expression: ${project.license}`,
    'License-File: LICENSE',
    `License-File: ${LICENSES_FILE}`,
    `Keywords: ${project.keywords.join(',')}`,
    ...project.classifiers.map((text) => `Classifier: ${text}`),
    `Requires-Python: ${project['requires-python']}`,
    ...[...project.dependencies, ...dependencies].map((text) => `Requires-Dist: ${text}`),
    ...extras.flatMap(([extra, wanted]) => [`Provides-Extra: ${extra}`, ...wanted.map((text) => `Requires-Dist: ${only(text, extra)}`)]),
    'Description-Content-Type: text/markdown',
  ];
  return `${lines.join('\n')}\n\n${readFileSync(inRoot('python', project.readme), 'utf8')}`;
}

/** `fastapi>=0.110; extra == 'fastapi'`. */
function only(requirement, extra) {
  const [what, marker] = requirement.split(';').map((part) => part.trim());
  return `${what}; ${marker === undefined ? '' : `(${marker}) and `}extra == '${extra}'`;
}

function entryPoints(project) {
  const groups = { console_scripts: project.scripts, ...project['entry-points'] };
  return Object.entries(groups)
    .map(([group, entries]) => `[${group}]\n${Object.entries(entries).map(([name, where]) => `${name} = ${where}\n`).join('')}`)
    .join('\n');
}

function record(files, info) {
  const line = ([path, bytes]) => `${path},sha256=${createHash('sha256').update(bytes).digest('base64url')},${bytes.length}\n`;
  return Buffer.from(`${files.map(line).join('')}${info}/RECORD,,\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { out: { type: 'string' } } });
  try {
    const { path, sizeBytes, files } = await buildWheel(values.out === undefined ? {} : { out: resolve(values.out) });
    console.error(`${path}  ${(sizeBytes / 1e6).toFixed(2)} MB, ${files} files`);
  } catch (error) {
    console.error(`no wheel: ${error.message}`);
    process.exitCode = 1;
  }
}

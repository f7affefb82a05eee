/**
 * Keeps the import rule that `rooms.json` says as data: a room imports itself and the rooms under `may`, nothing else,
 * by `import`, `export … from`, `import()` or `import('…').Type`. Every source file belongs to exactly one room.
 *
 * Test files (`*.test.ts`) may also import the other rooms of every package their room can reach, so that they try
 * real things (a registry test opens a local blob store); they may not reach a package that their room cannot.
 */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { filesUnder, repositoryPath } from './lib/files.mjs';
import { inRoot } from './lib/paths.mjs';

const isTest = (path) => /\.test\.ts$/.test(path);

/** Says what is wrong with `files` (`{path, text}`, repository paths) by the rules of `rooms.json`; empty when all is well. */
export function violationsOf(files, rules) {
  const rooms = Object.entries(rules.rooms).map(([name, room]) => ({ name, ...room }));
  return files.flatMap((file) => {
    const homes = rooms.filter((room) => isIn(room, file.path));
    if (homes.length === 0) return [`${file.path}: belongs to no room; add it to one in rooms.json`];
    if (homes.length > 1) return [`${file.path}: belongs to ${homes.map((room) => room.name).join(' and ')}; rooms.json must name one`];
    return violationsOfFile(file, homes[0], rooms, rules);
  });
}

function violationsOfFile({ path, text }, home, rooms, rules) {
  const found = [];
  for (const { specifier, line } of importsOf(text)) {
    const target = targetOf(path, specifier);
    if (target === undefined) {
      if (home.outside && !isTest(path) && !home.outside.includes(specifier)) {
        found.push(`${path}:${line}: imports ${specifier}, but ${home.name} depends on nothing outside ${list(home.outside)}`);
      }
      continue;
    }
    const room = rooms.find((candidate) => isIn(candidate, target));
    if (room === undefined) found.push(`${path}:${line}: imports ${target}, which belongs to no room`);
    else if (!mayImport(path, home, room, rooms)) {
      found.push(`${path}:${line}: ${home.name} may not import ${room.name} (${specifier}); it may import ${list(home.may)}`);
    }
    for (const guard of rules.guards ?? []) {
      if (matches(target, guard.files) && !matches(path, guard.files) && !guard.importedBy.includes(path) && !isTest(path)) {
        found.push(`${path}:${line}: imports ${target}; only ${list(guard.importedBy)} may`);
      }
    }
  }
  return [...found, ...ambientUses(path, text, home)];
}

/** Only rooms marked `ambient` read the environment or end the process; everything else gets such things as arguments. */
function ambientUses(path, text, home) {
  if (home.ambient || isTest(path)) return [];
  return text.split('\n').flatMap((line, index) => {
    const use = /\bprocess\.(env|exit|argv|exitCode)\b/.exec(line.replace(/\/\/.*|^\s*\*.*|^\s*\/\*.*/, ''));
    return use ? [`${path}:${index + 1}: uses ${use[0]}; only the command line does, others take an argument`] : [];
  });
}

function mayImport(path, home, room, rooms) {
  if (room.name === home.name || home.may === '*' || home.may.includes(room.name)) return true;
  if (!isTest(path)) return false;
  const reachable = [home, ...rooms.filter((other) => home.may.includes(other.name))];
  return reachable.some((other) => other.name.split('/')[0] === room.name.split('/')[0]);
}

function isIn(room, path) {
  return matches(path, room.files) && !matches(path, room.except ?? []);
}

function matches(path, patterns) {
  return patterns.some((pattern) => glob(path, pattern));
}

/** `*` is within one folder, `**` is anything below. */
function glob(path, pattern) {
  const source = pattern
    .split('**')
    .map((part) => part.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*'))
    .join('.*');
  return new RegExp(`^${source}$`).test(path);
}

function importsOf(text) {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  return importedFiles.map(({ fileName, pos }) => ({ specifier: fileName, line: text.slice(0, pos).split('\n').length }));
}

/** The repository path an import means, or undefined when it leaves the repository. */
function targetOf(path, specifier) {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(path), specifier));
  const own = /^@ingot\/([a-z]+)\/(.+)$/.exec(specifier);
  return own ? `packages/${own[1]}/src/${own[2]}.ts` : undefined;
}

const list = (names) => (names === '*' ? 'everything' : names.length === 0 ? 'nothing' : names.join(', '));

/** Reads the repository's own sources and checks them. */
export function checkRepository() {
  const rules = JSON.parse(readFileSync(inRoot('rooms.json'), 'utf8'));
  const paths = ['packages', 'conformance'].flatMap((folder) => filesUnder(inRoot(folder), (path) => /\.ts$/.test(path)));
  const files = paths.map((path) => ({ path: repositoryPath(path), text: readFileSync(path, 'utf8') }));
  return { files: files.length, violations: violationsOf(files, rules) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { files, violations } = checkRepository();
  for (const violation of violations) console.error(violation);
  console.error(violations.length === 0 ? `${files} files keep to their rooms` : `${violations.length} imports break the rule of rooms.json`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

import { expect, test } from 'vitest';
import { violationsOf } from './check-rooms.mjs';

const RULES = {
  rooms: {
    'core/base': { files: ['packages/core/src/*.ts'], may: [] },
    'core/blob': { files: ['packages/core/src/blob/**'], may: ['core/base'] },
    'core/content': { files: ['packages/core/src/content/**'], may: ['core/base', 'core/blob'] },
    'core/package': { files: ['packages/core/src/package/**'], may: ['core/base', 'core/content'] },
    serve: { files: ['packages/serve/src/**'], may: ['core/base'] },
    client: { files: ['packages/client/src/**'], may: [], outside: [] },
    cli: { files: ['packages/cli/src/**'], may: ['core/base', 'serve'], ambient: true },
  },
  guards: [{ files: ['packages/serve/src/http/**'], importedBy: ['packages/serve/src/app.ts'] }],
};
const violationIn = (path, text) => violationsOf([{ path, text }], RULES);

test.each([
  ['a static import', "import { x } from '../package/package.ts';"],
  ['a type import', "import type { X } from '../package/package.ts';"],
  ['a dynamic import', "const x = await import('../package/package.ts');"],
  ['a re-export', "export { x } from '../package/package.ts';"],
  ['a type named inline', "type X = import('../package/package.ts').X;"],
  ['an import by package name', "import { x } from '@ingot/core/package/package';"],
])('%s of a room that is not listed is caught', (_, text) => {
  expect(violationIn('packages/core/src/blob/local.ts', text)).toEqual([
    expect.stringMatching(/^packages\/core\/src\/blob\/local\.ts:1: core\/blob may not import core\/package/),
  ]);
});

test('an import of an allowed room and of the own room is fine', () => {
  const text = "import { a } from '../digest.ts';\nimport { b } from './layers.ts';\nimport { c } from 'node:fs';";
  expect(violationIn('packages/core/src/blob/local.ts', text)).toEqual([]);
});

test('a path in a comment is not an import', () => {
  expect(violationIn('packages/core/src/blob/local.ts', "// import { x } from '../package/package.ts'")).toEqual([]);
});

test('a file that no room lists is caught', () => {
  expect(violationIn('packages/core/src/attic/old.ts', '')).toEqual([expect.stringContaining('belongs to no room')]);
});

test('a test may open another room of a package it can reach, but not another package', () => {
  expect(violationIn('packages/core/src/blob/local.test.ts', "import { x } from '../package/package.ts';")).toEqual([]);
  expect(violationIn('packages/core/src/blob/local.test.ts', "import { x } from '@ingot/serve/app';")).toHaveLength(1);
});

test('only the named file imports a guarded folder', () => {
  expect(violationIn('packages/serve/src/app.ts', "import { x } from './http/v2.ts';")).toEqual([]);
  expect(violationIn('packages/serve/src/slots/slots.ts', "import { x } from '../http/v2.ts';")).toHaveLength(1);
});

test('the client imports nothing from outside', () => {
  expect(violationIn('packages/client/src/client.ts', "import { z } from 'zod';")).toHaveLength(1);
});

test('only the command line reads the environment', () => {
  expect(violationIn('packages/core/src/blob/local.ts', 'const home = process.env.HOME;')).toHaveLength(1);
  expect(violationIn('packages/cli/src/main.ts', 'const home = process.env.HOME;')).toEqual([]);
});

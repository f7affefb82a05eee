import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';

interface Surface {
  readonly every: readonly string[];
  readonly verbs: Readonly<Record<string, readonly string[]>>;
  readonly later: readonly string[];
}

const surface: Surface = parse(readFileSync(new URL('./surface.yaml', import.meta.url), 'utf8'));

async function help(...words: string[]): Promise<string> {
  using directory = workDirectory();
  const { status, stdout } = await runIngot([...words, '--help'], { cwd: directory.path });
  expect(status).toBe(0);
  return stdout;
}

beforeAll(buildOnce);

describe('the surface of the command line', () => {
  it('has exactly the pinned verbs', async () => {
    const listed = [...(await help()).matchAll(/^ {2}([a-z][a-z-]*) {2,}/gm)].map((match) => match[1]);
    expect(new Set(listed)).toEqual(new Set(Object.keys(surface.verbs).map((verb) => verb.split(' ')[0])));
  });

  it.each(Object.entries(surface.verbs))('ingot %s has exactly the pinned flags', async (verb, flags) => {
    const text = (await help(...verb.split(' '))).split('\nExamples')[0] ?? '';
    const listed = [...text.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map((match) => match[1]);
    expect(listed.sort()).toEqual([...flags, ...surface.every].sort());
  });

  it.each(surface.later)('ingot %s says that it is not in this release', async (verb) => {
    using directory = workDirectory();
    const { status, stderr } = await runIngot([verb], { cwd: directory.path });
    expect(stderr).toContain(`"ingot ${verb}" is not in this release`);
    expect(status).toBe(2);
  });
});

import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { describeVersion } from '../describe-version.ts';
import { compareVersions } from '../diff/compare-versions.ts';
import { formatDifference } from '../diff/format-difference.ts';
import { openStore } from '../open.ts';

/** `ingot diff A B`: compares two versions. */
export async function run(context: Context): Promise<Result> {
  const [first, second] = [0, 1].map((index) => parseReference(context.arguments.argument(index)));
  if (first === undefined || second === undefined) throw new Error('the parser gives two arguments');
  await using store = await openStore(context);
  const before = await describeVersion(store, first, context);
  const after = await describeVersion(store, second, context);
  const difference = compareVersions(before, after);
  const [a, b] = [before, after].map(({ version }) => `${version.model}:${version.number}`);
  return {
    json: { a, b, ...difference },
    quiet: [difference.verdict],
    human: () => formatDifference(a ?? '', b ?? '', difference, context.terminal.out),
  };
}

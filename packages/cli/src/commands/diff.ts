import { IngotError, isIngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Context, Result } from '../context.ts';
import { describeVersion } from '../describe-version.ts';
import { type ComparedVersion, compareVersions, type VersionDifference } from '../diff/compare-versions.ts';
import { failuresOf } from '../diff/failures.ts';
import { formatDifference } from '../diff/format-difference.ts';
import { meantAsPath } from '../meant-as-path.ts';
import { openCache } from '../open-cache.ts';
import { openStore } from '../open.ts';
import { nameOfSource, openSourceReader } from '../plain-sources.ts';

/** `ingot diff A B`: compares two versions, of a registry or of plain files. */
export async function run(context: Context): Promise<Result> {
  const [first, second] = [context.arguments.argument(0), context.arguments.argument(1)];
  const before = await sideOf(first, context);
  const after = await sideOf(second, context);
  const difference = compareVersions(before, after);
  return {
    json: { a: before.name, b: after.name, ...difference },
    quiet: [difference.verdict],
    human: () => formatDifference(before.name, after.name, difference, context.terminal.out),
    ...refusal(after.name, difference, context),
  };
}

function refusal(name: string, difference: VersionDifference, context: Context): { readonly failure?: IngotError } {
  const found = failuresOf(difference, context.arguments.list('fail-on'));
  if (found.length === 0) return {};
  const message = `${name} is refused: ${found.slice(0, 5).join('; ')}${found.length > 5 ? `; and ${found.length - 5} more` : ''}`;
  return { failure: new IngotError('refused', message, { operation: 'diff', details: { found: [...found] } }) };
}

interface Side extends ComparedVersion {
  readonly name: string;
}

async function sideOf(text: string, context: Context): Promise<Side> {
  if (isPlainAddress(text)) return await plainSide(text, context);
  try {
    await using store = await openStore(context);
    const described = await describeVersion(store, parseReference(text), context);
    return { ...described, name: `${described.version.model}:${described.version.number}` };
  } catch (error) {
    throw isIngotError(error) ? meantAsPath(text, context.cwd, error) : error;
  }
}

async function plainSide(text: string, context: Context): Promise<Side> {
  await using cache = openCache(context.settings, context.now);
  const { cwd, now, progress, signal } = context;
  const reader = openSourceReader(context.settings, { cache, cwd, now, onProgress: progress.onProgress });
  const found = await reader.open(text, { signal });
  return { name: nameOfSource(found), version: { manifest: found.record.manifest }, package: found.cached.description };
}

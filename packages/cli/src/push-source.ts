import { resolve } from 'node:path';
import type { PlainSource } from '@ingot/core/capture';
import type { PackageDraft } from '@ingot/core/package/read';
import type { ModelName } from '@ingot/core/ref';
import { namedFromAddress, sourceOf } from '@ingot/core/source-reader';
import type { Context } from './context.ts';
import { openCache } from './open-cache.ts';
import { addressOfPackage, openSourceReader } from './plain-sources.ts';

/** What a push reads: a path of this machine, and what is known when it was brought there. */
export interface PushSource extends AsyncDisposable {
  readonly path: string;
  /** What the model is called by its address, where its metadata says nothing. */
  readonly name?: ModelName;
  /** The version in its name, where that can be a label. */
  readonly label?: string;
  readonly source?: PlainSource;
  readonly notes: readonly string[];
}

/** Adds to a package that was looked at what the address says and the metadata does not. */
export function namedBySource(
  draft: PackageDraft,
  { name, label, source }: PushSource,
  given: { readonly name?: string; readonly label?: string },
): PackageDraft {
  if (source === undefined) return draft;
  const rename = name !== undefined && given.name === undefined && draft.metadata?.name === undefined;
  return {
    ...draft,
    ...(rename && { name, displayName: undefined, inferred: namedFromAddress(draft.inferred, name) }),
    ...(draft.label === undefined && label !== undefined && { label, labelFrom: 'metadata' as const }),
  };
}

/** Finds what a push is to read; what an address means elsewhere is brought here until the result is disposed. */
export async function openPushSource(text: string, context: Context): Promise<PushSource> {
  const { cwd, now, progress, signal, settings } = context;
  const address = addressOfPackage(text, cwd);
  if (address === undefined) return { path: resolve(cwd, text), notes: [], [Symbol.asyncDispose]: async () => {} };
  await using cache = openCache(settings, now);
  const reader = openSourceReader(settings, { cache, cwd, now, onProgress: progress.onProgress });
  const match = await reader.settled(address, { signal });
  const brought = await reader.bring(match, { signal });
  const { name, version, because, location, notes } = match;
  return {
    path: brought.path,
    name,
    ...(version.label !== undefined && { label: version.label }),
    source: sourceOf(match),
    notes: [`${location}: ${because}`, ...notes],
    [Symbol.asyncDispose]: () => brought[Symbol.asyncDispose](),
  };
}

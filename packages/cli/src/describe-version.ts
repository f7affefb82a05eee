import type { Capture } from '@ingot/core/capture';
import type { ContentReader } from '@ingot/core/content/content-store';
import { readCapture } from '@ingot/core/package/captured';
import { parseManifest } from '@ingot/core/package/manifest-read';
import type { PackageDescription } from '@ingot/core/package/package';
import type { Reference } from '@ingot/core/ref';
import type { Registry, VersionRecord } from '@ingot/core/registry/registry';

/** All that is known of a version. */
export interface DescribedVersion {
  readonly version: VersionRecord;
  readonly package: PackageDescription;
  /** What was captured when it was made; null when nothing was. */
  readonly captured: Capture | null;
}

/** Reads a version's record, its manifest and what was captured; none of its files. */
export async function describeVersion(
  store: { readonly registry: Registry; readonly contents: ContentReader },
  reference: Reference,
  options: { readonly signal: AbortSignal },
): Promise<DescribedVersion> {
  const { signal } = options;
  const version = await store.registry.version(reference, { signal });
  const recipe = await store.contents.openRecipe(version.recipe, { signal });
  const read = (digest: VersionRecord['manifest']): Promise<Uint8Array> =>
    collect(store.contents.read(recipe, digest, { signal }));
  const captured = version.captured === undefined ? undefined : readCapture(await read(version.captured));
  const {
    layers: _layers,
    config: _config,
    ...description
  } = parseManifest(await read(version.manifest), {
    expected: version.manifest,
    contents: recipe.contents,
    ...(captured === undefined ? {} : { captured }),
  });
  return { version, package: description, captured: captured ?? null };
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

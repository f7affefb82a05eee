import type { Capture } from '@ingot/core/capture';
import type { ContentReader } from '@ingot/core/content/content-store';
import type { PackageDescription } from '@ingot/core/package/package';
import { openStoredPackage } from '@ingot/core/package/stored-package';
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
  { signal }: { readonly signal: AbortSignal },
): Promise<DescribedVersion> {
  const version = await store.registry.version(reference, { signal });
  const { description, captured } = await openStoredPackage(store.contents, version, { signal });
  return { version, package: describePackage(description), captured: captured?.capture ?? null };
}

/** Leaves out what only readers of the stored form need. */
export function describePackage(
  description: PackageDescription & { readonly layers?: unknown; readonly config?: unknown },
): PackageDescription {
  const { layers: _layers, config: _config, ...rest } = description;
  return rest;
}

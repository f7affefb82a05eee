import type { ContentReader } from '@ingot/core/content/content-store';
import { IngotError } from '@ingot/core/errors';
import { isModelCard, writeModelCard } from '@ingot/core/package/model-card';
import { openStoredPackage, type StoredPackage } from '@ingot/core/package/stored-package';
import type { Reference } from '@ingot/core/ref';
import type { Registry, VersionRecord } from '@ingot/core/registry/registry';

/** A version's model card, and where it is from: edited, a file of the package, or generated. */
export interface VersionCard {
  readonly version: VersionRecord;
  readonly card: string;
  readonly from: 'edited' | 'package' | 'generated';
}

/** More than this is no card; an event carries what was edited, so that it is smaller. */
export const MAX_CARD_BYTES = 4 * 1024 * 1024;
export const MAX_EDITED_BYTES = 256 * 1024;

/** Reads a version's model card: what was edited last, else `README.md` of the package, else what was generated. */
export async function versionCard(
  store: { readonly registry: Registry; readonly contents: ContentReader },
  reference: Reference,
  { signal }: { readonly signal: AbortSignal },
): Promise<VersionCard> {
  const version = await store.registry.version(reference, { signal });
  if (version.card !== undefined) return { version, card: version.card, from: 'edited' };
  const stored = await openStoredPackage(store.contents, version, { signal });
  const own = await ownCard(store.contents, stored, signal);
  if (own !== undefined) return { version, card: own, from: 'package' };
  return { version, card: stored.captured?.capture.card ?? generated(version, stored), from: 'generated' };
}

async function ownCard(
  contents: ContentReader,
  { recipe, description }: StoredPackage,
  signal: AbortSignal,
): Promise<string | undefined> {
  const file = description.files.find(({ path }) => isModelCard(path));
  if (file === undefined) return undefined;
  if (file.sizeBytes > MAX_CARD_BYTES)
    throw new IngotError('payload-too-large', `${file.path} is larger than 4 MiB`, { operation: 'show' });
  const pieces: Uint8Array[] = [];
  for await (const piece of contents.read(recipe, file.digest, { signal })) pieces.push(piece);
  return new TextDecoder().decode(Buffer.concat(pieces));
}

function generated(version: VersionRecord, { description, captured }: StoredPackage): string {
  const { metadata, executesCode, signature } = description;
  return writeModelCard({
    name: version.model,
    flavor: version.flavor,
    description: version.description ?? metadata?.description,
    author: version.author ?? metadata?.author,
    signature: version.signature ?? signature,
    metrics: version.metrics,
    params: { ...metadata?.hyperparameters, ...version.params },
    executesCode,
    captured: captured?.capture,
  });
}

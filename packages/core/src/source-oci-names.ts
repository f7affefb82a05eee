/**
 * What an artifact of a registry, layout or archive is called as a model: its name, its version and when it was made,
 * from what its publisher wrote of it, and from the address where nothing was written.
 */

import type { ImageManifest } from './oci/manifest.ts';
import { isOciDigest } from './oci/digest.ts';
import { OCI_ANNOTATIONS } from './oci/media-types.ts';
import type { OciDigest } from './oci/oci-place.ts';
import { type ModelName, parseLabel, toModelName } from './ref.ts';
import type { OciNames } from './source-oci-layers.ts';
import type { OciSourceAddress } from './source/oci-address.ts';
import type { SourceVersion } from './source/source-version.ts';

/** When a manifest says that it was made; nothing where it does not, or says the year 1970 of a reproducible build. */
export function madeAt({ annotations }: ImageManifest): OciNames {
  const at = Date.parse(annotations[OCI_ANNOTATIONS.created] ?? '');
  return Number.isNaN(at) || at <= 0 ? {} : { createdAt: new Date(at).toISOString() };
}

/** The address of one manifest, and of one model in it. */
export function locationOf(address: string, reference: string, model: string | undefined): string {
  const at = isOciDigest(reference) ? '@' : ':';
  return `${address}${at}${reference}${model === undefined ? '' : `#${model}`}`;
}

/** A digest as people read it: its algorithm and twelve figures. */
export function shortOf(digest: OciDigest): string {
  return digest.slice(0, digest.indexOf(':') + 13);
}

/** What the model is called: what was asked for, what its publisher wrote, and else the last part of the address. */
export function nameOf(
  names: OciNames,
  source: OciSourceAddress,
  reference: string,
  model: string | undefined,
): ModelName {
  const named = source.kind === 'registry' ? source.where.split('/').slice(1) : reference.split(':')[0]?.split('/');
  const last = isOciDigest(reference) && source.kind !== 'registry' ? source.where.split('/').slice(-1) : (named ?? []);
  const candidates = [model, names.name, last.length <= 2 ? last.join('/') : undefined, last.at(-1), 'model'];
  for (const candidate of candidates) {
    if (candidate === undefined || candidate === '') continue;
    try {
      return toModelName(candidate);
    } catch {
      // Not a name of a model: the next best is.
    }
  }
  return toModelName('model');
}

/** The version that a tag says; where a tag says none, or a digest was asked for, what its publisher wrote. */
export function versionOf(
  { names, digest }: { readonly names: OciNames; readonly digest: OciDigest },
  reference: string,
): SourceVersion {
  const tag = reference.slice(reference.lastIndexOf(':') + 1);
  const said = isOciDigest(reference) || /^[A-Za-z_]*$/.test(tag) ? (names.version ?? tag) : tag;
  if (isOciDigest(reference) && names.version === undefined) return { text: shortOf(digest).replace(':', '-') };
  if (/^\d{1,15}$/.test(said)) return { text: said, number: Number(said) };
  try {
    return { text: said, label: parseLabel(said) };
  } catch {
    return { text: said };
  }
}

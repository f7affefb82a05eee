import { IngotError } from '../errors.ts';
import { isIndexType } from './media-types.ts';
import { type ImageIndex, type ImageManifest, parseOciManifest } from './manifest.ts';
import type { Descriptor, OciOptions, OciReader, Platform, StoredManifest } from './oci-place.ts';

/** What Node calls an architecture, as image-spec (that is, Go) calls it. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm', ppc64: 'ppc64le' };

/** The platform of images that run on a machine. Default: linux on this process's architecture. */
export function platformOfMachine(architecture: string = process.arch): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[architecture] ?? architecture };
}

/**
 * Reads a platform as people write it.
 * @throws IngotError `usage` when it is not `os/architecture` or `os/architecture/variant`.
 * @example
 * parsePlatform('linux/arm64/v8'); // { os: 'linux', architecture: 'arm64', variant: 'v8' }
 */
export function parsePlatform(text: string): Platform {
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text) ?? [];
  if (os === undefined || architecture === undefined)
    throw new IngotError('usage', `"${text.slice(0, 60)}" is not a platform`, { hint: 'linux/amd64 or linux/arm64' });
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** Writes a platform as people write it: `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/**
 * Chooses the manifest of a platform in an index: the one of its variant, else one that names none, else the first. 64-bit
 * Arm is `v8`, said or not. Undefined when there is none of its system and architecture.
 */
export function choosePlatform(index: Pick<ImageIndex, 'manifests'>, wanted: Platform): Descriptor | undefined {
  const fitting = index.manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const variant = variantOf(wanted);
  return (
    fitting.find(({ platform }) => platform !== undefined && variantOf(platform) === variant) ??
    (wanted.variant === undefined
      ? (fitting.find(({ platform }) => platform?.variant === undefined) ?? fitting[0])
      : fitting.find(({ platform }) => platform?.variant === undefined))
  );
}

/** The platforms of an index, without entries that are none (attestations say `unknown/unknown`). */
export function platformsOf(index: Pick<ImageIndex, 'manifests'>): Platform[] {
  return index.manifests.flatMap(({ platform }) =>
    platform === undefined || platform.os === 'unknown' ? [] : [platform],
  );
}

/** A manifest of one image, with what it says. */
export interface ReadImage extends StoredManifest {
  readonly image: ImageManifest;
}

/** How often an index may list another. */
const MAX_DEPTH = 4;

/**
 * Reads the manifest of one platform by tag or digest: of an index the entry that fits, of a plain manifest itself,
 * whatever platform it is of. An index with a single manifest needs no platform to fit.
 * @throws IngotError `not-found` naming the platforms there are; as `OciReader.manifest` does.
 */
export async function readImage(
  place: Pick<OciReader, 'manifest'>,
  reference: string,
  platform: Platform,
  options: OciOptions = {},
): Promise<ReadImage> {
  let stored = await place.manifest(reference, options);
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const manifest = parseOciManifest(stored);
    if (manifest.kind === 'manifest') return { ...stored, image: manifest };
    const chosen = choosePlatform(manifest, platform) ?? onlyOne(manifest);
    if (chosen === undefined) throw noPlatform(reference, platform, manifest);
    stored = await place.manifest(chosen.digest, options);
  }
  throw new IngotError('invalid-package', `"${reference}" lists indexes within indexes`, { operation: 'oci.read' });
}

function onlyOne({ manifests }: ImageIndex): Descriptor | undefined {
  const [first, ...others] = manifests;
  const isOnly = others.length === 0 && (first?.platform === undefined || isIndexType(first.mediaType));
  return isOnly ? first : undefined;
}

function noPlatform(reference: string, platform: Platform, index: ImageIndex): IngotError {
  const known = platformsOf(index).map(formatPlatform);
  return new IngotError(
    'not-found',
    `"${reference}" has no image for ${formatPlatform(platform)}${known.length === 0 ? '' : `; it has ${known.join(', ')}`}`,
    { operation: 'oci.read', details: { platform: formatPlatform(platform), platforms: known } },
  );
}

function variantOf({ architecture, variant }: Platform): string {
  return variant ?? (architecture === 'arm64' ? 'v8' : '');
}

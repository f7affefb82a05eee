import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../json.ts';
import { isOciDigest } from '../oci/digest.ts';
import { packingOf } from '../oci/media-types.ts';
import type { Descriptor, OciOptions, OciReader, Platform } from '../oci/oci-place.ts';
import { formatPlatform, readImage } from '../oci/platform.ts';
import type { FindBase } from './bake-options.ts';
import { factsOf } from './base-facts.ts';
import type { BaseImage } from './base-image.ts';
import { baseConfigOf } from './image-config.ts';

/** Where a base lies. */
export interface BasePlace {
  readonly place: OciReader;
  /** Tag or digest. */
  readonly reference: string;
  /** As it was asked for. */
  readonly name: string;
  /** Where it is one of a registry: `ghcr.io/team/base`. */
  readonly repository?: string;
  /** Directory of the cache. */
  readonly cache: string;
}

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * A base of a registry, a layout or an archive.
 * @throws IngotError `not-found` when there is none for the platform, naming those there are; `invalid-package` when it is
 * no image; as `OciReader.manifest` does.
 */
export function baseFromPlace(where: BasePlace): FindBase {
  return async (platform, { signal } = {}) => await openBase(where, platform, { ...(signal && { signal }) });
}

async function openBase(where: BasePlace, wanted: Platform, call: OciOptions): Promise<BaseImage> {
  const { place, name, repository, cache } = where;
  const { image, digest } = await readImage(place, where.reference, wanted, call);
  const configJson = await readConfig(where, image.config, call);
  const platform = platformFrom(configJson, name);
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture)
    throw new IngotError(
      'not-found',
      `${name} has no image for ${formatPlatform(wanted)}; it has ${formatPlatform(platform)}`,
      {
        operation: 'bake',
        details: { platform: formatPlatform(wanted), platforms: [formatPlatform(platform)] },
        hint: `--platform ${formatPlatform(platform)}`,
      },
    );
  const base: BaseImage = {
    name,
    digest,
    platform: { ...platform, ...(wanted.variant !== undefined && { variant: wanted.variant }) },
    layers: layersOf(image.layers, configJson, name),
    config: baseConfigOf(configJson),
    configJson,
    ...(repository !== undefined && { repository }),
    facts: (options) => factsOf(base, cache, options),
    readLayer: (descriptor, options) => place.blob(descriptor, options),
  };
  return base;
}

async function readConfig({ place, name }: BasePlace, config: Descriptor, call: OciOptions): Promise<JsonObject> {
  if (config.size > MAX_CONFIG_BYTES) throw noImage(name, `its config has ${config.size} bytes`);
  const pieces: Uint8Array[] = [];
  for await (const piece of place.blob(config, call)) pieces.push(piece);
  const value = parseJson(Buffer.concat(pieces).toString('utf8'));
  if (!isJsonObject(value) || !isJsonObject(value.rootfs))
    throw noImage(name, `its config, of type ${config.mediaType}, lists no layers: it may be an artifact`);
  return value;
}

function platformFrom({ os, architecture, variant }: JsonObject, name: string): Platform {
  if (typeof os !== 'string' || typeof architecture !== 'string') throw noImage(name, 'its config names no platform');
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

function layersOf(layers: readonly Descriptor[], { rootfs }: JsonObject, name: string): BaseImage['layers'] {
  const listed = isJsonObject(rootfs) && Array.isArray(rootfs.diff_ids) ? rootfs.diff_ids : [];
  if (listed.length !== layers.length)
    throw noImage(name, `its manifest lists ${layers.length} layers, and its config ${listed.length}`);
  return layers.map((descriptor, n) => {
    const diffId = listed[n];
    if (!isOciDigest(diffId)) throw noImage(name, `its config names no digest for layer ${n + 1}`);
    if (packingOf(descriptor.mediaType) === undefined)
      throw noImage(name, `its layer ${n + 1} is ${descriptor.mediaType}`);
    return { descriptor, diffId };
  });
}

function noImage(name: string, why: string): IngotError {
  return new IngotError('invalid-package', `${name} cannot be the base of an image: ${why}`, { operation: 'bake' });
}

/**
 * Bakes images: layers over a base, a config that says how they run, and a manifest; for several platforms an index.
 * Blobs come first and names last, so that a bake that stops half-way has published nothing, and the next one finds what
 * is there. The same plan over the same base gives the same digest anywhere.
 */

import { IngotError, isIngotError } from '../errors.ts';
import { describeManifest, writeManifest } from '../oci/manifest.ts';
import { OCI_MEDIA_TYPES } from '../oci/media-types.ts';
import type { Descriptor, OciOptions, Platform, StoredManifest } from '../oci/oci-place.ts';
import { ociDigestOf } from '../oci/digest.ts';
import { formatPlatform, platformOfMachine } from '../oci/platform.ts';
import type { BakeOptions } from './bake-options.ts';
import type { BakedImage, BakedLayer, BakeResult } from './bake-result.ts';
import type { BaseImage } from './base-image.ts';
import { bakeLayer, type LayerWork } from './bake-layer.ts';
import { BlobLenders } from './blob-lenders.ts';
import { writeConfig } from './image-config.ts';
import type { ImagePlan, PlanImage } from './image-plan.ts';
import { inLanes } from './in-lanes.ts';
import { KeptLayers } from './kept-layers.ts';
import { LayerRecords } from './layer-records.ts';
import { putProgress } from './put-progress.ts';
import { join } from 'node:path';

/** Written where nobody says another time. */
export const EPOCH = '1970-01-01T00:00:00Z';
/** Layers of a base that are sent at a time. */
const LANES = 3;

interface Built {
  readonly manifest: StoredManifest;
  readonly image: BakedImage;
}

/**
 * Bakes an image.
 * @param plan says what is added to the base, for each platform.
 * @throws IngotError `not-found` when the base lacks a platform; what the plan, the base and the destination throw. Nothing
 * has a name then that had none before.
 * @example
 * const { digest } = await bakeImage(plan, { base, to: new OciLayout('image'), tag: 'churn', cache });
 */
export async function bakeImage(plan: PlanImage, options: BakeOptions): Promise<BakeResult> {
  const { to, tag, platforms = [platformOfMachine()], cache, repository, onProgress, signal } = options;
  const work: LayerWork = {
    to,
    records: new LayerRecords(join(cache, 'records')),
    lenders: new BlobLenders(join(cache, 'lenders')),
    kept: new KeptLayers(join(cache, 'layers')),
    ...(repository !== undefined && { repository }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  };
  checkPlatforms(platforms);
  const built: Built[] = [];
  for (const platform of platforms) built.push(await bakePlatform(platform, plan, options, work));
  const call = { ...(signal && { signal }), ...(tag !== undefined && { tag }) };
  const [only, ...others] = built;
  if (only === undefined) throw new IngotError('usage', 'no platform is named to bake for', { operation: 'bake' });
  if (others.length === 0) {
    await to.putManifest(only.manifest, call);
    return resultOf(only.manifest, built);
  }
  for (const { manifest } of built) await to.putManifest(manifest, { ...(signal && { signal }) });
  const index = writeManifest({
    manifests: built.map(({ manifest, image }) => ({ ...describeManifest(manifest), platform: image.platform })),
  });
  await to.putManifest(index, call);
  return resultOf(index, built);
}

function checkPlatforms(platforms: readonly Platform[]): void {
  const names = platforms.map(formatPlatform);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new IngotError('usage', `the platform ${twice} is named twice`, { operation: 'bake' });
}

async function bakePlatform(wanted: Platform, plan: PlanImage, options: BakeOptions, work: LayerWork): Promise<Built> {
  const call = callOf(options);
  const base = await options.base(wanted, call);
  const planned = await plan(base, call);
  const below = await putBase(base, work);
  const above: BakedLayer[] = [];
  for (const layer of planned.layers) above.push(await bakeLayer(layer, work));
  return await putImage({ base, planned, layers: [...below, ...above] }, options);
}

/** The layers of the base, passed on as they are. */
async function putBase(base: BaseImage, work: LayerWork): Promise<readonly BakedLayer[]> {
  const { lenders, repository } = work;
  const known = base.repository === undefined ? [] : [base.repository];
  return await inLanes(
    base.layers,
    LANES,
    async ({ descriptor, diffId }, signal): Promise<BakedLayer> => {
      const progress = putProgress(`${base.name} ${descriptor.digest.slice(0, 19)}`, descriptor.size, work.onProgress);
      const open = (): AsyncIterable<Uint8Array> => progress.through(base.readLayer(descriptor, { signal }));
      const from = await lenders.find(descriptor.digest, repository, known);
      const send = () => work.to.putBlob(descriptor, open, { signal, ...(from !== undefined && { from }) });
      // What was kept of a base and is damaged is gone once it was read, and is had anew.
      const put = await send().catch((error: unknown) =>
        isIngotError(error, 'integrity') ? send() : Promise.reject(error),
      );
      progress.done(put);
      await lenders.add(descriptor.digest, repository);
      const { mediaType, digest, size } = descriptor;
      return { name: 'base', mediaType: ociTypeOf(mediaType), digest, diffId, sizeBytes: size, made: false, put };
    },
    work.signal,
  );
}

/** Docker's own types name the same bytes; beside an OCI config they are OCI's. */
function ociTypeOf(mediaType: string): string {
  return mediaType === OCI_MEDIA_TYPES.dockerLayerGzip ? OCI_MEDIA_TYPES.layerGzip : mediaType;
}

interface Parts {
  readonly base: BaseImage;
  readonly planned: ImagePlan;
  readonly layers: readonly BakedLayer[];
}

async function putImage({ base, planned, layers }: Parts, options: BakeOptions): Promise<Built> {
  const { to, created = EPOCH } = options;
  const { platform, name, digest } = base;
  const labels = { ...planned.labels, ...baseLabels(base), 'org.opencontainers.image.created': created };
  const config = writeConfig({
    platform,
    base: base.configJson,
    baseDiffIds: base.layers.map(({ diffId }) => diffId),
    layers: planned.layers.map(({ createdBy }, n) => ({ createdBy, diffId: diffIdOf(layers, base.layers.length + n) })),
    run: planned.run,
    labels,
    created,
  });
  const configured: Descriptor = {
    mediaType: OCI_MEDIA_TYPES.config,
    digest: ociDigestOf(config),
    size: config.byteLength,
  };
  await to.putBlob(configured, () => once(config), callOf(options));
  const manifest = writeManifest({ config: configured, layers: layers.map(descriptorOf), annotations: labels });
  const known =
    layers.length > 0 && base.layers.length > 0 ? { base: { name, ...(digest !== undefined && { digest }) } } : {};
  return { manifest, image: { platform, digest: manifest.digest, configDigest: configured.digest, ...known, layers } };
}

/** A root file system has no manifest; the digest of its tar says which one it was. */
function baseLabels({ name, digest, layers }: BaseImage): Record<string, string> {
  const [root] = layers;
  if (root === undefined) return {};
  return {
    'org.opencontainers.image.base.name': name,
    ...(digest === undefined
      ? { 'dev.ingot.base.rootfs': root.diffId }
      : { 'org.opencontainers.image.base.digest': digest }),
  };
}

function diffIdOf(layers: readonly BakedLayer[], at: number): BakedLayer['diffId'] {
  const layer = layers[at];
  if (layer === undefined) throw new IngotError('unexpected', `the image has no layer ${at}`, { operation: 'bake' });
  return layer.diffId;
}

function descriptorOf({ mediaType, digest, sizeBytes }: BakedLayer): Descriptor {
  return { mediaType, digest, size: sizeBytes };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

function callOf({ signal, onProgress }: BakeOptions): OciOptions {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}

function resultOf({ digest }: StoredManifest, built: readonly Built[]): BakeResult {
  const images = built.map(({ image }) => image);
  // A layer that several platforms share is sent once.
  const sizes = { created: 0, mounted: 0, exists: 0 };
  for (const { put, sizeBytes } of images.flatMap(({ layers }) => layers)) sizes[put] += sizeBytes;
  return { digest, images, newBytes: sizes.created, storedBytes: sizes.mounted + sizes.exists };
}

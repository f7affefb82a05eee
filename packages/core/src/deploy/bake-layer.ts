import { isIngotError } from '../errors.ts';
import { createOciDigester } from '../oci/digest.ts';
import { OCI_MEDIA_TYPES } from '../oci/media-types.ts';
import type { BlobPut, OciOptions, OciPlace } from '../oci/oci-place.ts';
import type { OnProgress } from '../progress.ts';
import type { BlobLenders } from './blob-lenders.ts';
import type { BakedLayer } from './bake-result.ts';
import type { ImageLayer } from './image-layer.ts';
import type { KeptBytes, KeptLayers } from './kept-layers.ts';
import type { LayerRecord, LayerRecords } from './layer-records.ts';
import { gzipped, watched } from './layer-stream.ts';
import { layerMembers, layerSize, packLayer } from './layer-tar.ts';
import { putProgress } from './put-progress.ts';

/** What layers are made and put with. */
export interface LayerWork {
  readonly to: OciPlace;
  /** The repository of a registry that `to` is. */
  readonly repository?: string;
  readonly records: LayerRecords;
  readonly lenders: BlobLenders;
  /** Keeps layers that take long to make: all but models. */
  readonly kept: KeptLayers;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/**
 * Puts a layer where an image is baked to. One whose inputs are known is neither made nor read when it is there already,
 * or another repository lends it.
 */
export async function bakeLayer(layer: ImageLayer, work: LayerWork): Promise<BakedLayer> {
  const known = await work.records.find(layer);
  if (known !== undefined) {
    try {
      return await putKnown(layer, known, work);
    } catch (error) {
      // Other bytes follow from these inputs now, or those that were kept are damaged: it is made anew.
      if (!isIngotError(error, 'integrity')) throw error;
      await work.records.forget(layer);
    }
  }
  const isStreamed = layer.name === 'model' && layer.gzip !== true;
  const { record, put } = isStreamed ? await putStreamed(layer, work) : await putMade(layer, work);
  await work.records.keep(layer, record);
  await work.lenders.add(record.digest, work.repository);
  return describe(layer, record, { made: true, put });
}

async function putKnown(layer: ImageLayer, record: LayerRecord, work: LayerWork): Promise<BakedLayer> {
  const { to, kept, lenders, repository } = work;
  const descriptor = nameOf(record);
  const isKept = await kept.has(descriptor);
  let made = false;
  const progress = putProgress(titleOf(layer), record.sizeBytes, work.onProgress);
  const open = (): AsyncIterable<Uint8Array> => {
    made = !isKept;
    return progress.through(isKept ? kept.read(descriptor) : remade(layer, callOf(work)));
  };
  const from = await lenders.find(record.digest, repository);
  const put = await to.putBlob(descriptor, open, { ...callOf(work), ...(from !== undefined && { from }) });
  progress.done(put);
  await lenders.add(record.digest, repository);
  return describe(layer, record, { made, put });
}

/** Sends the tar as it is composed; where a digest must be said first, it is composed twice. */
async function putStreamed(layer: ImageLayer, work: LayerWork): Promise<Put> {
  const { to, signal } = work;
  await using made = await layer.make(callOf(work));
  const members = layerMembers(made.entries);
  const sizeBytes = layerSize(members);
  const progress = putProgress(titleOf(layer), sizeBytes, work.onProgress);
  const open = (): AsyncIterable<Uint8Array> => progress.through(packLayer(members));
  if (to.newBlob !== undefined) {
    const { digest, put } = await to.newBlob(sizeBytes, open, callOf(work));
    progress.done(put);
    return { record: plainRecord({ digest, size: sizeBytes }), put };
  }
  const digester = createOciDigester();
  for await (const piece of packLayer(members)) {
    signal?.throwIfAborted();
    digester.update(piece);
  }
  const record = plainRecord({ digest: digester.finish(), size: sizeBytes });
  const put = await to.putBlob(nameOf(record), open, callOf(work));
  progress.done(put);
  return { record, put };
}

interface Put {
  readonly record: LayerRecord;
  readonly put: BlobPut;
}

/** Makes the layer in the cache first, so that neither another destination nor another attempt has it made again. */
async function putMade(layer: ImageLayer, work: LayerWork): Promise<Put> {
  const { to, kept } = work;
  const record = await makeLayer(layer, kept, callOf(work));
  const progress = putProgress(titleOf(layer), record.sizeBytes, work.onProgress);
  const put = await to.putBlob(nameOf(record), () => progress.through(kept.read(nameOf(record))), callOf(work));
  progress.done(put);
  return { record, put };
}

/** Makes a layer, keeps its bytes and says what they are. */
export async function makeLayer(layer: ImageLayer, kept: KeptLayers, call: OciOptions): Promise<LayerRecord> {
  await using made = await layer.make(call);
  const members = layerMembers(made.entries);
  if (layer.gzip !== true) return plainRecord(await kept.keep(packLayer(members), call.signal));
  const digester = createOciDigester();
  const tar = watched(packLayer(members), (piece) => digester.update(piece));
  const { digest, size } = await kept.keep(gzipped(tar), call.signal);
  const mediaType = OCI_MEDIA_TYPES.layerGzip;
  return { mediaType, digest, diffId: digester.finish(), sizeBytes: size };
}

/** The bytes of a layer that is not kept, made again. */
async function* remade(layer: ImageLayer, call: OciOptions): AsyncGenerator<Uint8Array, void> {
  await using made = await layer.make(call);
  const tar = packLayer(layerMembers(made.entries));
  yield* layer.gzip === true ? gzipped(tar) : tar;
}

function plainRecord({ digest, size }: KeptBytes): LayerRecord {
  return { mediaType: OCI_MEDIA_TYPES.layer, digest, diffId: digest, sizeBytes: size };
}

function nameOf({ digest, sizeBytes }: LayerRecord): KeptBytes {
  return { digest, size: sizeBytes };
}

function titleOf({ name, title }: ImageLayer): string {
  return title ?? name;
}

function callOf({ signal, onProgress }: LayerWork): OciOptions {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}

function describe(
  { name, title }: ImageLayer,
  { digest, diffId, sizeBytes, mediaType }: LayerRecord,
  { made, put }: { readonly made: boolean; readonly put: BlobPut },
): BakedLayer {
  return { name, ...(title !== undefined && { title }), mediaType, digest, diffId, sizeBytes, made, put };
}

import { IngotError, isIngotError } from '../errors.ts';
import { createOciDigester } from '../oci/digest.ts';
import { OCI_MEDIA_TYPES } from '../oci/media-types.ts';
import type { BlobPut, OciDigest, OciOptions, OciPlace } from '../oci/oci-place.ts';
import type { OnProgress } from '../progress.ts';
import type { BlobLenders } from './blob-lenders.ts';
import type { BakedLayer } from './bake-result.ts';
import type { ImageLayer } from './image-layer.ts';
import type { KeptBytes, KeptLayers } from './kept-layers.ts';
import type { LayerRecord, LayerRecords } from './layer-records.ts';
import { gzipped, watched } from './layer-stream.ts';
import { layerMembers, layerSize, packLayer } from './layer-tar.ts';
import { putProgress } from './put-progress.ts';
import { storedGzip, storedGzipSize } from './stored-gzip.ts';
import { startDigest, type ThreadDigester } from './thread-digester.ts';

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
  const { to, lenders, repository } = work;
  const descriptor = nameOf(record);
  let made = false;
  const progress = putProgress(titleOf(layer), record.sizeBytes, work.onProgress);
  const onMade = (): void => {
    made = true;
  };
  const open = (): AsyncIterable<Uint8Array> => progress.through(keptOrRemade(layer, descriptor, work, onMade));
  const from = await lenders.find(record.digest, repository);
  const put = await to.putBlob(descriptor, open, { ...callOf(work), ...(from !== undefined && { from }) });
  progress.done(put);
  await lenders.add(record.digest, repository);
  return describe(layer, record, { made, put });
}

/** Sends a layer as it is composed; where a digest must be said first, it is composed twice. */
async function putStreamed(layer: ImageLayer, work: LayerWork): Promise<Put> {
  const { to, signal } = work;
  await using made = await layer.make(callOf(work));
  const members = layerMembers(made.entries);
  const tarBytes = layerSize(members);
  const sizeBytes = storedGzipSize(tarBytes);
  const progress = putProgress(titleOf(layer), sizeBytes, work.onProgress);
  if (to.newBlob !== undefined) {
    // Another attempt begins another digest.
    const attempts: ThreadDigester[] = [];
    const open = (): AsyncIterable<Uint8Array> => {
      const digester = startDigest(tarBytes);
      attempts.push(digester);
      const tar = watched(packLayer(members), (piece) => digester.update(piece));
      return progress.through(storedGzip(tar, tarBytes));
    };
    try {
      const { digest, put } = await to.newBlob(sizeBytes, open, callOf(work));
      const diffId = await lastOf(attempts).finish();
      progress.done(put);
      return { record: recordOf(diffId, { digest, size: sizeBytes }), put };
    } finally {
      for (const attempt of attempts) await attempt[Symbol.asyncDispose]();
    }
  }
  const [tarDigest, digester] = [createOciDigester(), createOciDigester()];
  const tar = watched(packLayer(members), (piece) => tarDigest.update(piece));
  for await (const piece of storedGzip(tar, tarBytes)) {
    signal?.throwIfAborted();
    digester.update(piece);
  }
  const record = recordOf(tarDigest.finish(), { digest: digester.finish(), size: sizeBytes });
  const open = (): AsyncIterable<Uint8Array> => progress.through(storedGzip(packLayer(members), tarBytes));
  const put = await to.putBlob(nameOf(record), open, callOf(work));
  progress.done(put);
  return { record, put };
}

function lastOf(attempts: readonly ThreadDigester[]): ThreadDigester {
  const last = attempts.at(-1);
  if (last === undefined)
    throw new IngotError('unexpected', 'a layer was put without being read', { operation: 'bake' });
  return last;
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
  const open = (): AsyncIterable<Uint8Array> => progress.through(keptOrRemade(layer, nameOf(record), work));
  const put = await to.putBlob(nameOf(record), open, callOf(work));
  progress.done(put);
  return { record, put };
}

/** Makes a layer, keeps its bytes and says what they are. */
export async function makeLayer(layer: ImageLayer, kept: KeptLayers, call: OciOptions): Promise<LayerRecord> {
  await using made = await layer.make(call);
  const members = layerMembers(made.entries);
  const digester = createOciDigester();
  const tar = watched(packLayer(members), (piece) => digester.update(piece));
  const bytes = await kept.keep(packed(layer, tar, layerSize(members)), call.signal);
  return recordOf(digester.finish(), bytes);
}

/** The bytes of a layer; whoever prunes the cache may do so at any time. */
async function* keptOrRemade(
  layer: ImageLayer,
  name: KeptBytes,
  work: LayerWork,
  onMade: () => void = () => {},
): AsyncGenerator<Uint8Array, void> {
  if (await work.kept.has(name)) return yield* work.kept.read(name);
  onMade();
  yield* remade(layer, callOf(work));
}

/** The bytes of a layer that is not kept, made again. */
async function* remade(layer: ImageLayer, call: OciOptions): AsyncGenerator<Uint8Array, void> {
  await using made = await layer.make(call);
  const members = layerMembers(made.entries);
  yield* packed(layer, packLayer(members), layerSize(members));
}

function packed(layer: ImageLayer, tar: AsyncIterable<Uint8Array>, tarBytes: number): AsyncIterable<Uint8Array> {
  return layer.gzip === true ? gzipped(tar) : storedGzip(tar, tarBytes);
}

function recordOf(diffId: OciDigest, { digest, size }: KeptBytes): LayerRecord {
  return { mediaType: OCI_MEDIA_TYPES.layerGzip, digest, diffId, sizeBytes: size };
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

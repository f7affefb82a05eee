import { createDigester, type Digest } from '../digest.ts';
import type { OnProgress } from '../progress.ts';
import { type LayerPlan, planLayers } from './layers.ts';
import type { HashedFile, HashedLayer } from './manifest.ts';
import { hashSource, readSource, type SourceFile } from './source-file.ts';
import { TAR_END, tarHeader, tarPadding, tarSize } from './tar.ts';

const PARALLEL = 2;

/**
 * Hashes all files, each read once, two at a time, and the tars that stand for whole directories of large packages.
 * `layers` says which files share one. Default: {@link planLayers}.
 */
export async function hashPackage(
  files: readonly SourceFile[],
  options: HashOptions & { readonly layers?: readonly LayerPlan<SourceFile>[] } = {},
): Promise<HashedLayer[]> {
  const plans = options.layers ?? planLayers(files);
  const layers: HashedLayer[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < plans.length; index = next++) {
      const plan = plans[index];
      if (plan !== undefined) layers[index] = await hashLayer(plan, options);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return layers;
}

type HashOptions = { readonly signal?: AbortSignal; readonly onProgress?: OnProgress };

async function hashLayer(plan: LayerPlan<SourceFile>, options: HashOptions): Promise<HashedLayer> {
  if (plan.kind === 'tar') return hashTar(plan.directory, plan.files, options);
  const { file } = plan;
  const digest = await hashSource(file, { signal: options.signal, onBytes: reporter(file, options.onProgress) });
  return { kind: 'raw', file: hashed(file, digest), digest, sizeBytes: file.sizeBytes };
}

async function hashTar(directory: string, sources: readonly SourceFile[], options: HashOptions): Promise<HashedLayer> {
  const whole = createDigester();
  const files: HashedFile[] = [];
  for (const source of sources) {
    const own = createDigester();
    const report = reporter(source, options.onProgress);
    whole.update(tarHeader(source));
    for await (const piece of readSource(source, options.signal)) {
      own.update(piece);
      whole.update(piece);
      report(piece.length);
    }
    whole.update(tarPadding(source.sizeBytes));
    files.push(hashed(source, own.finish()));
  }
  whole.update(TAR_END);
  return { kind: 'tar', directory, files, digest: whole.finish(), sizeBytes: tarSize(sources) };
}

function hashed(file: SourceFile, digest: Digest): HashedFile {
  return { path: file.path, sizeBytes: file.sizeBytes, mode: file.mode, digest };
}

function reporter(file: SourceFile, onProgress: OnProgress | undefined): (count: number) => void {
  let doneBytes = 0;
  return (count) => {
    doneBytes += count;
    onProgress?.({ phase: 'hash', path: file.path, doneBytes, totalBytes: file.sizeBytes });
  };
}

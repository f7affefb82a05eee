import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageLayer, LayerEntry } from './image-layer.ts';
import { IMAGE_PLACES } from './image-places.ts';
import { entriesBelow, heldEntries } from './layer-entries.ts';

/** ONNX Runtime for Node as it lies on this machine, with the libraries of several platforms. */
export interface OnnxFiles {
  /** `1.30.0`. */
  readonly version: string;
  /** Digest of the library for the image's platform. */
  readonly digest: string;
  /** The directory of `onnxruntime-node`. */
  readonly runtime: string;
  /** The directory of `onnxruntime-common`. */
  readonly common: string;
  /** As the package names it: `x64`, `arm64`. */
  readonly architecture: string;
}

/**
 * Makes the layer of what runs ONNX graphs inside the server, for one platform: such a model needs no Python. Takes the
 * program and its libraries, and nothing that other platforms or its installation need.
 */
export function onnxLayer({ version, digest, runtime, common, architecture }: OnnxFiles): ImageLayer {
  const modules = `${IMAGE_PLACES.engine}/node_modules`;
  return {
    name: 'environment',
    title: `ONNX Runtime ${version}`,
    inputs: { form: 1, onnxruntime: version, library: digest, architecture },
    createdBy: `ingot bake: ONNX Runtime ${version} for Node`,
    async make() {
      const native = join('bin', await nativeFolder(runtime), 'linux', architecture);
      const entries = [
        ...(await entriesBelow(join(runtime, 'dist'), `${modules}/onnxruntime-node/dist`)),
        ...(await entriesBelow(join(runtime, native), `${modules}/onnxruntime-node/${native}`)),
        ...(await described(runtime, `${modules}/onnxruntime-node`)),
        ...(await entriesBelow(join(common, 'dist', 'cjs'), `${modules}/onnxruntime-common/dist/cjs`)),
        ...(await described(common, `${modules}/onnxruntime-common`)),
      ];
      return heldEntries(entries.filter(({ path }) => !/\.(?:d\.ts|map)$/.test(path)));
    },
  };
}

/** `napi-v6`. */
async function nativeFolder(runtime: string): Promise<string> {
  const names = await readdir(join(runtime, 'bin'));
  return (
    names
      .filter((name) => name.startsWith('napi-'))
      .sort()
      .at(-1) ?? 'napi-v6'
  );
}

/** What a package says of itself; its license is named there. */
async function described(directory: string, at: string): Promise<LayerEntry[]> {
  const told = /\/(?:package\.json|README\.md|LICENSE[^/]*|ThirdPartyNotices\.txt)$/;
  const own = (await readdir(directory)).filter((name) => told.test(`/${name}`));
  const all = await entriesBelow(directory, at);
  return all.filter(({ path }) => own.some((name) => path === `${at}/${name}`));
}

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OciOptions } from '../oci/oci-place.ts';
import { readBaseFiles } from './base-files.ts';
import type { BaseImage } from './base-image.ts';
import type { ImageLayer, LayerEntries, LayerEntry } from './image-layer.ts';
import { IMAGE_PLACES } from './image-places.ts';
import { entriesBelow } from './layer-entries.ts';

/** What is compiled for an image, and with what. */
export interface BytecodeFiles {
  readonly base: BaseImage;
  /** The base's interpreter: `/usr/bin/python3.11`. */
  readonly python: string;
  /** `3.11`. */
  readonly version: string;
  /** The worker of the engine, and the digest of the engine it belongs to. */
  readonly worker: string;
  readonly engine: string;
  /** What compiles: its version, and its doing. `place` is where a directory will lie. */
  readonly compiler: { readonly version: string; compile(directory: string, place: string): Promise<void> };
  /** A directory for temporary ones. */
  readonly scratch: string;
}

/** What no model imports. */
const UNUSED =
  /^(?:test|idlelib|tkinter|lib2to3|turtledemo|turtle|ensurepip|pydoc_data|distutils|site-packages|dist-packages|config-[^/]*)(?:\/|\.py$)/;

/**
 * Makes the layer of the bytecode of Python's own modules and of the worker. Most bases come without it, and on a
 * read-only root it would be made again by every process: half a second each.
 */
export function bytecodeLayer(files: BytecodeFiles): ImageLayer {
  const { base, python, version, engine, compiler } = files;
  return {
    name: 'environment',
    title: `bytecode of Python ${version}`,
    inputs: {
      form: 1,
      python,
      version,
      engine,
      compiler: compiler.version,
      base: base.layers.map(({ diffId }) => diffId),
    },
    createdBy: `ingot bake: bytecode of Python ${version} and of the model server's worker`,
    async make(options): Promise<LayerEntries> {
      await mkdir(files.scratch, { recursive: true, mode: 0o700 });
      const directory = await mkdtemp(join(files.scratch, '.bytecode-'));
      const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
      try {
        return { entries: await compiled(files, directory, options), [Symbol.asyncDispose]: remove };
      } catch (error) {
        await remove();
        throw error;
      }
    },
  };
}

async function compiled(
  { base, python, version, worker, compiler }: BytecodeFiles,
  directory: string,
  options: OciOptions | undefined,
): Promise<readonly LayerEntry[]> {
  const library = `${dirname(dirname(python)).slice(1)}/lib/python${version}`;
  const isOwn = (path: string): boolean =>
    path.startsWith(`${library}/`) && !UNUSED.test(path.slice(library.length + 1)) && /\.pyc?$/.test(path);
  const there = await readBaseFiles(base, isOwn, options);
  const sources = [...there].filter(([path]) => path.endsWith('.py'));
  const places = [{ place: library, into: join(directory, 'library') }];
  for (const [path, bytes] of sources) await put(join(directory, 'library', path.slice(library.length + 1)), bytes);
  const workerPlace = `${IMAGE_PLACES.engine}/dist/worker`;
  places.push({ place: workerPlace, into: join(directory, 'worker') });
  for (const name of (await readdir(worker, { recursive: true })).filter((each) => each.endsWith('.py')))
    await put(join(directory, 'worker', name), await readFile(join(worker, name)));
  const entries: LayerEntry[] = [];
  for (const { place, into } of places) {
    await mkdir(into, { recursive: true });
    await compiler.compile(into, `/${place}`);
    entries.push(...(await entriesBelow(into, place)));
  }
  // What the base has itself stays.
  return entries.filter(({ path }) => path.endsWith('.pyc') && !there.has(path));
}

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

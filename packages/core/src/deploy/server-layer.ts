/**
 * The layer of an image that serves: Node and the engine, nothing of any model. It is the same for all images of one
 * release and platform, so that registries and machines hold it once.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import type { OciOptions } from '../oci/oci-place.ts';
import { HEALTH_CHECK_PROGRAM } from './health-check.ts';
import type { ImageLayer, LayerEntries, LayerEntry } from './image-layer.ts';
import { IMAGE_PLACES } from './image-places.ts';
import { entriesBelow, fileOf } from './layer-entries.ts';
import { withoutSymbols } from './without-symbols.ts';

/** The engine as it lies on this machine. */
export interface EngineFiles {
  /** The release: `0.1.0`. */
  readonly version: string;
  /** Digest of all its files, which tells builds of one release apart. */
  readonly digest: string;
  /** Where its `main.js` and `chunks/` lie. */
  readonly program: string;
  /** Where the Python worker's `main.py` lies. */
  readonly worker: string;
  /** License texts: names to contents. */
  readonly licenses: Readonly<Record<string, Uint8Array>>;
}

/** Node for the platform of an image. */
export interface NodeFiles {
  /** `24.19.0`. */
  readonly version: string;
  /** Of the archive it comes from: `sha256:…`. */
  readonly digest: string;
  /** Unpacks it into a new directory: `bin/node`, `LICENSE`. Disposing removes it. */
  fetch(options?: OciOptions): Promise<{ readonly directory: string } & AsyncDisposable>;
}

/** Options of {@link serverLayer}. */
export interface ServerLayerOptions {
  readonly engine: EngineFiles;
  readonly node: NodeFiles;
}

/** Makes the layer of Node and the engine. */
export function serverLayer({ engine, node }: ServerLayerOptions): ImageLayer {
  return {
    name: 'server',
    title: `the model server ${engine.version} with Node ${node.version}`,
    inputs: { form: 2, engine: engine.version, files: engine.digest, node: node.version, archive: node.digest },
    createdBy: `ingot bake: model server ${engine.version}, Node ${node.version}`,
    async make(options): Promise<LayerEntries> {
      const fetched = await node.fetch(options);
      const entries: LayerEntry[] = [
        fileOf(
          `${IMAGE_PLACES.programs}/node`,
          withoutSymbols(await readFile(join(fetched.directory, 'bin/node'))),
          0o755,
        ),
        fileOf(`${IMAGE_PLACES.licenses}/node/LICENSE`, await readText(join(fetched.directory, 'LICENSE'))),
        ...(await engineEntries(engine)),
        // As a volume that is mounted there would be: whoever the container runs as may write. A new volume of compose
        // takes its rights from what the image has there.
        { kind: 'directory', path: IMAGE_PLACES.cache, mode: 0o1777 },
        { kind: 'directory', path: IMAGE_PLACES.state, mode: 0o1777 },
      ];
      return { entries, [Symbol.asyncDispose]: () => fetched[Symbol.asyncDispose]() };
    },
  };
}

/** What `ingot` is in an image: its own Node, and no shell. */
const PROGRAM = `#!/${IMAGE_PLACES.programs}/node
import('/${IMAGE_PLACES.engine}/dist/main.js');
`;

async function engineEntries({ version, program, worker, licenses }: EngineFiles): Promise<LayerEntry[]> {
  const stated = { name: 'ingot', version, type: 'module', license: 'Apache-2.0' };
  const isRun = ({ path }: LayerEntry): boolean => /\.(?:js|wasm)$/.test(path);
  const isWorker = ({ path }: LayerEntry): boolean => path.endsWith('.py');
  const dist = `${IMAGE_PLACES.engine}/dist`;
  return [
    fileOf(`${IMAGE_PLACES.programs}/ingot`, PROGRAM, 0o755),
    fileOf(`${IMAGE_PLACES.programs}/healthy`, HEALTH_CHECK_PROGRAM, 0o755),
    fileOf(`${IMAGE_PLACES.engine}/package.json`, `${JSON.stringify(stated)}\n`),
    ...(await entriesBelow(program, dist)).filter((entry) => isRun(entry) && !entry.path.startsWith(`${dist}/worker/`)),
    ...(await entriesBelow(worker, `${dist}/worker`)).filter(isWorker),
    ...Object.entries(licenses).map(([name, text]) => fileOf(`${IMAGE_PLACES.licenses}/ingot/${name}`, text)),
  ];
}

async function readText(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause;
    throw new IngotError('unexpected', `Node came without ${path}`, { cause });
  }
}

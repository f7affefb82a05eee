import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IngotError } from '@ingot/core/errors';
import type { EngineFiles } from '@ingot/core/deploy/server-layer';
import { toolVersion } from '../tool-version.ts';
import { workerDirectory } from '../worker-directory.ts';

/** Where the bundle may lie: seen from a chunk of it, from its main file, and from the sources. */
const PLACES = ['../', './', '../../dist/'];
const LICENSES = ['LICENSE', 'THIRD-PARTY-LICENSES'];

/**
 * Finds the engine that runs now, as it goes into images.
 * @throws IngotError `unexpected` where it runs from sources that were not built.
 */
export async function engineFiles(): Promise<EngineFiles> {
  const program = programDirectory();
  const [version, worker] = [toolVersion(), workerDirectory()];
  const licenses = await licensesOf(program, version);
  const hash = createHash('sha256');
  const add = (name: string, bytes: Uint8Array): void => {
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  };
  for (const path of await namesBelow(program, '.js')) add(`dist/${path}`, await readFile(join(program, path)));
  for (const path of await namesBelow(worker, '.py')) add(`worker/${path}`, await readFile(join(worker, path)));
  for (const [name, text] of Object.entries(licenses)) add(`licenses/${name}`, text);
  return { version, digest: `sha256:${hash.digest('hex')}`, program, worker, licenses };
}

function programDirectory(): string {
  for (const place of PLACES) {
    const url = new URL(place, import.meta.url);
    if (existsSync(new URL('main.js', url))) return fileURLToPath(url);
  }
  throw new IngotError('unexpected', 'the engine that goes into images is missing from this installation', {
    hint: 'npm run build   (in a clone; else install ingot again)',
  });
}

async function namesBelow(directory: string, ending: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith(ending)).sort();
}

/** License texts lie beside the bundle, at the root of a clone, and in the metadata of a wheel. */
async function licensesOf(program: string, version: string): Promise<Record<string, Uint8Array>> {
  const places = [program, join(program, '../../..'), join(program, `../../../ingot-${version}.dist-info/licenses`)];
  const found: Record<string, Uint8Array> = {};
  for (const name of LICENSES) {
    const path = places.map((place) => join(place, name)).find((each) => existsSync(each));
    if (path !== undefined) found[name] = await readFile(path);
  }
  return found;
}

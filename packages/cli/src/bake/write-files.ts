/**
 * Writes what would be the layers of an image as folders: for a Dockerfile that copies them, and within the step of a
 * Dockerfile that gets a model from its registry.
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { redactAddress } from '@ingot/core/blob/address';
import type { BaseImage } from '@ingot/core/deploy/base-image';
import { copyingDockerfile, type Download, dockerignore, downloadingDockerfile } from '@ingot/core/deploy/dockerfile';
import type { ImageLayer } from '@ingot/core/deploy/image-layer';
import type { ImagePlan, PlanImage } from '@ingot/core/deploy/image-plan';
import { writeTree } from '@ingot/core/deploy/write-tree';
import { IngotError } from '@ingot/core/errors';
import type { OciOptions } from '@ingot/core/oci/oci-place';
import { formatPlatform } from '@ingot/core/oci/platform';

/** What was written, relative to the directory. */
export interface WrittenFiles {
  readonly directory: string;
  readonly files: readonly string[];
  /** Why there is no Dockerfile that downloads; undefined where there is one. */
  readonly withoutDownload?: string;
}

/** Options of {@link writeDockerContext}. */
export interface DockerContextOptions extends OciOptions {
  /** A directory that is not there yet, or is empty. */
  readonly directory: string;
  readonly base: BaseImage;
  /** What a Dockerfile that downloads asks for, and where. Default: none is written. */
  readonly download?: Download;
}

/**
 * Writes a folder to build an image in with another program: the layers as folders, `Dockerfile`, `.dockerignore`, and
 * `Dockerfile.download` where the registry can be reached from elsewhere. Whole or not at all.
 * @throws IngotError `conflict` where something is there, `usage` where the base is no image of a registry; as the plan does.
 */
export async function writeDockerContext(plan: PlanImage, options: DockerContextOptions): Promise<WrittenFiles> {
  const { base, download } = options;
  const planned = await plan(base, options);
  const folders = [...new Set(planned.layers.map(folderOf))];
  const facts = {
    base: base.name,
    platform: formatPlatform(base.platform),
    ...(base.digest !== undefined && { baseDigest: base.digest }),
    folders,
    run: planned.run,
    labels: { ...planned.labels, 'org.opencontainers.image.base.name': base.name },
  };
  // A name that cannot be written is told before gigabytes are.
  const files = [
    { name: 'Dockerfile', text: copyingDockerfile(facts) },
    { name: '.dockerignore', text: dockerignore(folders) },
  ];
  const reach = download === undefined ? 'a generic image downloads when it starts' : whyNotReached(download);
  if (download !== undefined && reach === undefined) {
    const registry = redactAddress(download.registry);
    files.push({ name: 'Dockerfile.download', text: downloadingDockerfile(facts, { ...download, registry }) });
  }
  await writeWhole(options.directory, async (into) => {
    await writeLayers(planned, into, options);
    for (const { name, text } of files) await writeFile(join(into, name), text);
  });
  return {
    directory: options.directory,
    files: [...files.map(({ name }) => name), ...folders.map((folder) => `${folder}/`)].sort(),
    ...(reach !== undefined && { withoutDownload: reach }),
  };
}

/**
 * Writes the model and its environment below a directory as they lie below the root of an image; the server, which the
 * image has, is left out.
 * @throws IngotError `conflict` where something is there; as the plan does.
 */
export async function writeImageFiles(
  plan: PlanImage,
  { directory, base, ...options }: Omit<DockerContextOptions, 'download'>,
): Promise<WrittenFiles> {
  const { layers } = await plan(base, options);
  const own = layers.filter((layer) => folderOf(layer) !== 'server');
  await writeWhole(directory, async (into) => {
    for (const layer of own) await writeTree(layer, into, options);
  });
  return { directory, files: (await readdir(directory)).sort() };
}

async function writeLayers({ layers }: ImagePlan, into: string, options: OciOptions): Promise<void> {
  for (const layer of layers) await writeTree(layer, join(into, folderOf(layer)), options);
}

/** What runs graphs belongs to no model, and lies with the server. */
function folderOf({ name, inputs }: ImageLayer): string {
  return 'onnxruntime' in inputs ? 'server' : name;
}

function whyNotReached({ registry }: Download): string | undefined {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(registry) && !/^file:/i.test(registry)) return undefined;
  return `${registry} is a directory of this machine, which a build does not see`;
}

/** A directory appears with all that belongs in it, or not at all. */
async function writeWhole(directory: string, write: (into: string) => Promise<void>): Promise<void> {
  if (existsSync(directory) && (await readdir(directory)).length > 0)
    throw new IngotError('conflict', `${directory} is not empty`, { operation: 'bake', hint: `rm -r ${directory}` });
  const into = join(dirname(directory), `.ingot-${randomBytes(6).toString('hex')}`);
  await mkdir(into, { recursive: true });
  try {
    await write(into);
    await rm(directory, { recursive: true, force: true });
    await rename(into, directory);
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

import { join } from 'node:path';
import type { Services } from '../services.ts';
import { type BlobRoom, openBlobRoom } from './blob-room.ts';
import { forgetDeletedVersions } from './deleted-versions.ts';
import { ManifestRows } from './manifest-rows.ts';
import { Manifests } from './manifests.ts';
import { ModelVersions } from './model-versions.ts';
import { PushedModels } from './pushed-models.ts';
import { VersionContents } from './version-contents.ts';
import { VersionPackages } from './version-packages.ts';

/** All that this room does. Disposing it ends its work in the background. */
export interface Oci extends AsyncDisposable {
  readonly blobs: BlobRoom;
  readonly manifests: Manifests;
  readonly rows: ManifestRows;
}

/** Options of {@link openOci}. */
export interface OciOptions {
  /** Folder for what only passes through. */
  readonly scratch: string;
  /** Whether manifests are taken whose blobs and manifests are not all there. Default: false. */
  readonly sparse?: boolean | undefined;
  /** Most bytes of a blob. Default: 1 TiB. */
  readonly largestBlobBytes?: number | undefined;
}

/** Opens repositories over a store and its database. */
export async function openOci(
  services: Pick<Services, 'store' | 'database' | 'registry' | 'index' | 'log' | 'now' | 'random'>,
  { scratch, sparse, largestBlobBytes }: OciOptions,
): Promise<Oci> {
  const rows = new ManifestRows(services);
  const packages = new VersionPackages(services);
  const contents = new VersionContents(services, packages);
  const versions = new ModelVersions(services, rows, packages);
  const blobs = await openBlobRoom(services, {
    scratch: join(scratch, 'oci'),
    models: contents,
    recipes: contents,
    references: rows,
    beforeSweep: () => forgetDeletedVersions(services.database, rows),
    largestBytes: largestBlobBytes,
  });
  const blob: PushedModelsBlob = (repository, digest) => blobs.blobs.shown(repository, digest);
  const pushed = new PushedModels(services, {
    rows,
    versions,
    scratch: join(scratch, 'oci'),
    blob: async (repository, digest) =>
      (await blobs.blobs.find(repository, digest)) ??
      (await contents.find(repository, digest)) ??
      (await blobs.blobs.ofFormerName(repository, digest)),
  });
  const manifests = new Manifests(services, { rows, versions, models: pushed, blob, sparse });
  return { blobs, manifests, rows, [Symbol.asyncDispose]: () => blobs[Symbol.asyncDispose]() };
}

type PushedModelsBlob = ConstructorParameters<typeof Manifests>[1]['blob'];

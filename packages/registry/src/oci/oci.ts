import { join } from 'node:path';
import type { AttachmentWriter } from '@ingot/core/registry/attachments';
import type { Services } from '../services.ts';
import { AttachedManifests } from './attached-manifests.ts';
import { Attachments } from './attachments.ts';
import { type BlobRoom, openBlobRoom } from './blob-room.ts';
import { forgetDeletedVersions } from './deleted-versions.ts';
import { ManifestRows } from './manifest-rows.ts';
import { Manifests } from './manifests.ts';
import { ModelVersions } from './model-versions.ts';
import type { ModelContents } from './oci-blobs.ts';
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
  /** Whether indexes are taken whose manifests are not all there. Default: false. */
  readonly sparseIndexes?: boolean | undefined;
  /** Most bytes of a blob. Default: 1 TiB. */
  readonly largestBlobBytes?: number | undefined;
}

/** Opens repositories over a store and its database. */
export async function openOci(
  services: Pick<Services, 'store' | 'database' | 'registry' | 'index' | 'log' | 'now' | 'random'> & {
    readonly attachments: AttachmentWriter;
  },
  { scratch, sparseIndexes, largestBlobBytes }: OciOptions,
): Promise<Oci> {
  const rows = new ManifestRows(services);
  const packages = new VersionPackages(services);
  const contents = new VersionContents(services, packages);
  const attachments = new Attachments(services);
  const versions = new ModelVersions(services, { rows, packages, attachments });
  const models: ModelContents = {
    find: async (repository, digest) =>
      (await contents.find(repository, digest)) ?? (await attachments.find(repository, digest)),
    formerNames: (repository, digest) => contents.formerNames(repository, digest),
  };
  const blobs = await openBlobRoom(services, {
    scratch: join(scratch, 'oci'),
    models,
    recipes: contents,
    references: rows,
    beforeSweep: () => forgetDeletedVersions(services.database, rows),
    largestBytes: largestBlobBytes,
  });
  const blob: PushedModelsBlob = (repository, digest) => blobs.blobs.shown(repository, digest);
  const inStore: PushedModelsBlob = async (repository, digest) =>
    (await blobs.blobs.find(repository, digest)) ??
    (await models.find(repository, digest)) ??
    (await blobs.blobs.ofFormerName(repository, digest));
  const pushed = new PushedModels(services, {
    rows,
    versions,
    scratch: join(scratch, 'oci'),
    blob: inStore,
  });
  const attached = new AttachedManifests(services, {
    attachments,
    writer: services.attachments,
    rows,
    versions,
    blob: inStore,
    content: (repository, digest) => contents.find(repository, digest),
  });
  const manifests = new Manifests(services, {
    rows,
    versions,
    models: pushed,
    attachments,
    attached,
    blob,
    sparseIndexes,
  });
  return { blobs, manifests, rows, [Symbol.asyncDispose]: () => blobs[Symbol.asyncDispose]() };
}

type PushedModelsBlob = ConstructorParameters<typeof Manifests>[1]['blob'];

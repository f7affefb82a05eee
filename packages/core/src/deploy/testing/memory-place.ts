import { collect } from '../../blob/bytes.ts';
import { IngotError } from '../../errors.ts';
import { checkedBlob } from '../../oci/checked-blob.ts';
import { ociDigestOf } from '../../oci/digest.ts';
import type { OciPlace, StoredManifest } from '../../oci/oci-place.ts';

/** A repository in memory, as a registry is one: a digest is said before the bytes come. */
export class MemoryPlace implements OciPlace {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<string, StoredManifest>();
  /** Where blobs were to be lent from, one for each that was put. */
  readonly asked: (string | undefined)[] = [];

  async manifest(reference: string): Promise<StoredManifest> {
    return this.manifests.get(reference) ?? missing(reference);
  }

  async *blob({ digest, size }: Parameters<OciPlace['blob']>[0]): AsyncIterable<Uint8Array> {
    const bytes = this.blobs.get(digest) ?? missing(digest);
    yield* checkedBlob({ digest, size }, one(bytes));
  }

  async *tags(): AsyncIterable<string> {
    yield* [...this.manifests.keys()].filter((name) => !name.includes(':')).sort();
  }

  async referrers(): Promise<readonly []> {
    return [];
  }

  async hasBlob(digest: string): Promise<boolean> {
    return this.blobs.has(digest);
  }

  async putBlob(...[descriptor, open, options]: Parameters<OciPlace['putBlob']>): ReturnType<OciPlace['putBlob']> {
    this.asked.push(options?.from);
    if (this.blobs.has(descriptor.digest)) return 'exists';
    this.blobs.set(descriptor.digest, await collect(checkedBlob(descriptor, open())));
    return 'created';
  }

  async putManifest(manifest: StoredManifest, { tag }: { readonly tag?: string } = {}): Promise<void> {
    for (const name of [ociDigestOf(manifest.bytes), ...(tag === undefined ? [] : [tag])])
      this.manifests.set(name, manifest);
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

function missing(what: string): never {
  throw new IngotError('not-found', `there is no ${what}`);
}

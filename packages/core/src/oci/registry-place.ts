/**
 * One repository of a registry as a place: read and written over the distribution API. What comes is checked by its
 * digest, whatever the registry says of it; what is cut goes on where it was cut. Source: distribution-spec 1.1.
 */

import { bodyOf, collect } from '../blob/bytes.ts';
import type { HttpReply } from '../blob/http/client.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';
import { nearest } from '../nearest.ts';
import { type BlobName, checkedBlob } from './checked-blob.ts';
import { parseDescriptor } from './descriptor.ts';
import { isOciDigest, splitDigest } from './digest.ts';
import {
  checkManifest,
  describeManifest,
  MAX_OCI_MANIFEST_BYTES,
  parseOciManifest,
  writeManifest,
} from './manifest.ts';
import { isManifestType, MANIFEST_TYPES, OCI_MEDIA_TYPES } from './media-types.ts';
import type { BlobPut, Descriptor, OciDigest, OciOptions, OciPlace, StoredManifest } from './oci-place.ts';
import { type BlobRange, readBlobRange } from './registry-blob-range.ts';
import { RegistryClient, type RegistryOptions } from './registry-client.ts';
import { uploadBlob } from './registry-upload.ts';

const TAG = /^\w[\w.-]{0,127}$/;
const PAGE = 1000;
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** Tags that are looked through for one that is near to what was mistyped. */
const MAX_LOOKED_THROUGH = 2000;

/** A repository of a registry. */
export class RegistryPlace implements OciPlace {
  /** `registry.example.com/team/churn`. */
  readonly address: string;
  readonly host: string;
  readonly name: string;
  readonly #client: RegistryClient;

  /** Nothing is sent yet. */
  constructor(host: string, name: string, options: RegistryOptions) {
    this.#client = new RegistryClient(host, name, options);
    this.host = host;
    this.name = name;
    this.address = this.#client.repository;
  }

  async manifest(reference: string, { signal }: OciOptions = {}): Promise<StoredManifest> {
    const at = `manifests/${checkedReference(reference)}`;
    const request = { method: 'GET', at, what: `the manifest ${reference}`, signal, headers: ACCEPT } as const;
    return await this.#client.repeat(async () => {
      const reply = await this.#client.send(request);
      if (reply.status === 404) {
        await reply.discard();
        throw await this.#noManifest(reference, signal);
      }
      if (reply.status !== 200) throw await this.#client.failure(reply, request);
      return checkManifest(...(await this.#manifestOf(reply, reference)));
    }, signal);
  }

  /**
   * The digest that a tag has now, and how large its manifest is, without reading it; undefined where the registry does
   * not say. Costs one small request.
   */
  async head(reference: string, { signal }: OciOptions = {}): Promise<Descriptor | undefined> {
    const at = `manifests/${checkedReference(reference)}`;
    const request = { method: 'HEAD', at, what: `the manifest ${reference}`, signal, headers: ACCEPT } as const;
    return await this.#client.repeat(async () => {
      const reply = await this.#client.send(request);
      await reply.discard();
      if (reply.status === 404) throw await this.#noManifest(reference, signal);
      if (reply.status !== 200) throw await this.#client.failure(reply, request);
      const digest = reply.headers['docker-content-digest'];
      const size = Number(reply.headers['content-length']);
      if (!isOciDigest(digest) || !Number.isSafeInteger(size)) return undefined;
      return { mediaType: typeOf(reply) ?? OCI_MEDIA_TYPES.manifest, digest, size };
    }, signal);
  }

  async *blob(
    descriptor: BlobName,
    options: OciOptions & { readonly range?: BlobRange } = {},
  ): AsyncIterable<Uint8Array> {
    const { range = { start: 0, end: descriptor.size }, signal } = options;
    const bytes = readBlobRange(this.#client, descriptor, range, signal);
    yield* options.range === undefined ? checkedBlob(descriptor, bytes) : bytes;
  }

  async *tags({ signal }: OciOptions = {}): AsyncIterable<string> {
    const seen = new Set<string>();
    for (let at: string | URL | undefined = `tags/list?n=${PAGE}`; at !== undefined; ) {
      const page: Page = await this.#page(at, 'the list of tags', signal);
      const { tags } = page.body;
      const fresh = (Array.isArray(tags) ? tags : []).filter((tag) => typeof tag === 'string' && !seen.has(tag));
      for (const tag of fresh) {
        if (typeof tag !== 'string') continue;
        seen.add(tag);
        yield tag;
      }
      // Whoever gives the same page again would go on for ever.
      at = fresh.length === 0 ? undefined : page.next;
    }
  }

  async referrers(
    digest: OciDigest,
    { artifactType, signal }: OciOptions & { readonly artifactType?: string } = {},
  ): Promise<readonly Descriptor[]> {
    const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`;
    const found: Descriptor[] = [];
    try {
      for (let at: string | URL | undefined = `referrers/${digest}${query}`; at !== undefined; ) {
        const page: Page = await this.#page(at, `what refers to ${digest}`, signal);
        const { manifests } = page.body;
        const listed = (Array.isArray(manifests) ? manifests : []).map((one, place) =>
          parseDescriptor(one, `manifests[${place}]`),
        );
        found.push(...listed);
        at = listed.length === 0 ? undefined : page.next;
      }
    } catch (error) {
      // Registries of before 1.1 know nothing of it: then whoever pushes keeps an index under a tag.
      if (!isIngotError(error, 'not-found', 'refused', 'forbidden')) throw error;
      found.push(...(await this.#taggedReferrers(digest, signal)));
    }
    return found.filter((one) => artifactType === undefined || one.artifactType === artifactType);
  }

  async hasBlob(digest: OciDigest, { signal }: OciOptions = {}): Promise<boolean> {
    const request = { method: 'HEAD', at: `blobs/${digest}`, what: `the blob ${digest}`, signal } as const;
    return await this.#client.repeat(async () => {
      const reply = await this.#client.send(request);
      await reply.discard();
      if (reply.status === 200) return true;
      if (reply.status === 404) return false;
      throw await this.#client.failure(reply, request);
    }, signal);
  }

  async putBlob(
    { digest, size }: BlobName,
    open: () => AsyncIterable<Uint8Array>,
    options: OciOptions & { readonly from?: string } = {},
  ): Promise<BlobPut> {
    if (await this.hasBlob(digest, options)) return 'exists';
    const upload = {
      sizeBytes: size,
      digest,
      open: () => checkedBlob({ digest, size }, open(), 'oci.push'),
      from: options.from,
    };
    return (await uploadBlob(this.#client, upload, options)).put;
  }

  async newBlob(
    size: number,
    open: () => AsyncIterable<Uint8Array>,
    options: OciOptions = {},
  ): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
    return await uploadBlob(this.#client, { sizeBytes: size, open }, options);
  }

  async putManifest(manifest: StoredManifest, options: OciOptions & { readonly tag?: string } = {}): Promise<void> {
    const checked = checkManifest(manifest.bytes, manifest.mediaType, manifest.digest);
    const { tag, signal } = options;
    // A tag is put by the registry's own algorithm; any other digest has to be said.
    const isOther = splitDigest(checked.digest).algorithm !== 'sha256';
    const references = tag === undefined ? [checked.digest] : isOther ? [checked.digest, tag] : [tag];
    for (const reference of references) {
      const hasReferrers = await this.#putManifest(checked, checkedReference(reference), signal);
      if (!hasReferrers) await this.#noteReferrer(checked, signal);
    }
  }

  /** Deletes a manifest or a tag. False when it was not there. */
  async deleteManifest(reference: string, { signal }: OciOptions = {}): Promise<boolean> {
    const at = `manifests/${checkedReference(reference)}`;
    const request = { method: 'DELETE', at, what: `the manifest ${reference}`, writes: true, signal } as const;
    return await this.#client.repeat(async () => {
      const reply = await this.#client.send(request);
      await reply.discard();
      if (reply.status === 404) return false;
      if (reply.status === 202 || reply.status === 200 || reply.status === 204) return true;
      throw await this.#client.failure(reply, request);
    }, signal);
  }

  /** Says whether the registry keeps count of referrers by itself. */
  async #putManifest(manifest: StoredManifest, reference: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { mediaType, bytes } = manifest;
    const request = {
      method: 'PUT',
      at: `manifests/${reference}`,
      what: `the manifest ${reference}`,
      headers: { 'content-type': mediaType },
      body: bodyOf(bytes),
      writes: true,
      signal,
    } as const;
    return await this.#client.repeat(async () => {
      const reply = await this.#client.expect(request, 201, 200, 202);
      await reply.discard();
      return parseOciManifest(manifest).subject === undefined || reply.headers['oci-subject'] !== undefined;
    }, signal);
  }

  /** Keeps the index of referrers that the specification asks of clients where the registry keeps none. */
  async #noteReferrer(manifest: StoredManifest, signal: AbortSignal | undefined): Promise<void> {
    const parsed = parseOciManifest(manifest);
    const { subject, annotations } = parsed;
    if (subject === undefined) return;
    const type = parsed.artifactType ?? (parsed.kind === 'manifest' ? parsed.config.mediaType : undefined);
    const before = await this.#taggedReferrers(subject.digest, signal);
    if (before.some(({ digest }) => digest === manifest.digest)) return;
    const entry: Descriptor = {
      ...describeManifest(manifest),
      ...(type === undefined ? {} : { artifactType: type }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    };
    const index = writeManifest({ manifests: [...before, entry] });
    await this.#putManifest(index, referrersTag(subject.digest), signal);
  }

  async #taggedReferrers(digest: OciDigest, signal: AbortSignal | undefined): Promise<readonly Descriptor[]> {
    try {
      const index = parseOciManifest(await this.manifest(referrersTag(digest), signal === undefined ? {} : { signal }));
      return index.kind === 'index' ? index.manifests : [];
    } catch (error) {
      if (isIngotError(error, 'not-found')) return [];
      throw error;
    }
  }

  async #manifestOf(reply: HttpReply, reference: string): Promise<[Uint8Array, string, OciDigest | undefined]> {
    const bytes = await atMost(reply, MAX_OCI_MANIFEST_BYTES, `the manifest ${reference} of ${this.address}`);
    const said = reply.headers['docker-content-digest'];
    const expected = isOciDigest(reference) ? reference : isOciDigest(said) ? said : undefined;
    const mediaType = typeOf(reply) ?? saidBy(bytes);
    // What the registry says of a tag is only good to find out what broke on the way.
    const { digest } = checkManifest(bytes, mediaType, expected);
    return [bytes, mediaType, isOciDigest(reference) ? digest : undefined];
  }

  async #noManifest(reference: string, signal: AbortSignal | undefined): Promise<IngotError> {
    const known = isOciDigest(reference) ? [] : await this.#knownTags(signal);
    const near = known && nearest(reference, known);
    const few = known?.slice(0, 5).join(', ') ?? '';
    const has =
      known === undefined
        ? '; there is no repository of this name, or it is not shown'
        : few === ''
          ? ''
          : `; it has ${few}${known.length > 5 ? ` and ${known.length - 5} more` : ''}`;
    return new IngotError(
      'not-found',
      `${this.address} has no ${isOciDigest(reference) ? 'manifest' : 'tag'} "${reference}"${has}`,
      {
        operation: 'oci.pull',
        details: { repository: this.address, reference },
        ...(near === undefined ? {} : { nearest: `${this.address}:${near}` }),
      },
    );
  }

  /** Undefined where the repository is not known, or its tags may not be listed. */
  async #knownTags(signal: AbortSignal | undefined): Promise<string[] | undefined> {
    const known: string[] = [];
    try {
      for await (const tag of this.tags(signal === undefined ? {} : { signal })) {
        known.push(tag);
        if (known.length >= MAX_LOOKED_THROUGH) break;
      }
    } catch (error) {
      // That the manifest is missing is what is told.
      if (!isIngotError(error) || error.code === 'interrupted') throw error;
      return undefined;
    }
    return known;
  }

  async #page(at: string | URL, what: string, signal: AbortSignal | undefined): Promise<Page> {
    const request = { method: 'GET', at, what, signal, headers: { accept: 'application/json, */*' } } as const;
    return await this.#client.repeat(async () => {
      const reply = await this.#client.expect(request, 200);
      const body = parseJson(await reply.text(MAX_PAGE_BYTES));
      if (!isJsonObject(body))
        throw new IngotError('unavailable', `${this.address} answers with something else than ${what}`, {
          operation: 'oci.pull',
          retryable: false,
        });
      return { body, next: this.#nextOf(reply, this.#client.urlOf(at)) };
    }, signal);
  }

  /** `Link: <…>; rel="next"`, on this registry only. */
  #nextOf({ headers: { link } }: HttpReply, from: URL): URL | undefined {
    const [, target] =
      /<([^>]*)>\s*;[^,]*rel="?next"?/i.exec(Array.isArray(link) ? link.join(',') : (link ?? '')) ?? [];
    if (target === undefined || !URL.canParse(target, from.href)) return undefined;
    const url = new URL(target, from);
    return url.origin === from.origin ? url : undefined;
  }
}

interface Page {
  readonly body: Readonly<Record<string, unknown>>;
  readonly next: URL | undefined;
}

const ACCEPT = { accept: [...MANIFEST_TYPES, '*/*;q=0.1'].join(', ') };

/** Keeps what stands in an address from being another path. */
function checkedReference(reference: string): string {
  if (isOciDigest(reference) || TAG.test(reference)) return reference;
  throw new IngotError('usage', `"${reference.slice(0, 80)}" is neither a tag nor a digest`, { operation: 'oci.open' });
}

function referrersTag(digest: OciDigest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`.slice(0, 128);
}

function typeOf({ headers }: HttpReply): string | undefined {
  const said = headers['content-type']?.replace(/\s*;.*$/s, '').trim();
  return said !== undefined && isManifestType(said) ? said : undefined;
}

function saidBy(bytes: Uint8Array): string {
  const value = parseJson(Buffer.from(bytes).toString('utf8'));
  const said = isJsonObject(value) ? value.mediaType : undefined;
  if (typeof said === 'string') return said;
  return isJsonObject(value) && value.manifests !== undefined ? OCI_MEDIA_TYPES.index : OCI_MEDIA_TYPES.manifest;
}

async function atMost(reply: HttpReply, maxBytes: number, what: string): Promise<Buffer> {
  let length = 0;
  async function* bounded(): AsyncGenerator<Uint8Array> {
    for await (const piece of reply.body()) {
      length += piece.byteLength;
      if (length > maxBytes)
        throw new IngotError('invalid-package', `${what} is larger than 4 MB`, { operation: 'oci.pull' });
      yield piece;
    }
  }
  return await collect(bounded());
}

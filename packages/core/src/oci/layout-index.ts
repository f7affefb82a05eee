/** `index.json` of a layout: which manifests it holds under which names. Source: image-spec, image-layout.md. */

import { IngotError, isIngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../json.ts';
import { nearest } from '../nearest.ts';
import { parseDescriptor } from './descriptor.ts';
import { isOciDigest } from './digest.ts';
import { describeManifest, parseOciManifest } from './manifest.ts';
import { OCI_ANNOTATIONS, OCI_MEDIA_TYPES } from './media-types.ts';
import type { Descriptor, OciDigest, StoredManifest } from './oci-place.ts';
import { formatRegistryAddress, parseRegistryAddress } from './registry-address.ts';

/** The index of a layout, with what others wrote into it kept as it is. */
export interface LayoutIndex {
  readonly entries: readonly LayoutEntry[];
  /** The whole document; `manifests` stands in `entries`. */
  readonly document: JsonObject;
}

/** One manifest of a layout. A manifest with two names has two entries. */
export interface LayoutEntry {
  readonly descriptor: Descriptor;
  /** The tag, or whatever else a tool calls it by. */
  readonly name: string | undefined;
  /** Its image's whole name, where Docker or containerd wrote it. */
  readonly image: string | undefined;
  /** The entry as it stands there. */
  readonly json: JsonObject;
}

/** More than any layout needs, and little enough to be read at once. */
export const MAX_LAYOUT_INDEX_BYTES = 64 * 1024 * 1024;

/** The index of a layout that holds nothing. */
export const EMPTY_LAYOUT_INDEX: LayoutIndex = {
  entries: [],
  document: { schemaVersion: 2, mediaType: OCI_MEDIA_TYPES.index },
};

/**
 * Reads `index.json`.
 * @throws IngotError `invalid-package` naming what is wrong with it.
 */
export function parseLayoutIndex(bytes: Uint8Array): LayoutIndex {
  const document = parseJson(Buffer.from(bytes).toString('utf8'));
  if (!isJsonObject(document) || document.schemaVersion !== 2) throw unreadable();
  const { manifests = [], ...rest } = document;
  if (!Array.isArray(manifests)) throw unreadable();
  return { entries: manifests.map(entryOf), document: rest };
}

/** Writes `index.json`, indented as people may look at it. */
export function formatLayoutIndex({ entries, document }: LayoutIndex): Buffer {
  return Buffer.from(`${JSON.stringify({ ...document, manifests: entries.map(({ json }) => json) }, undefined, 2)}\n`);
}

/** What is added to an index. */
export interface LayoutAddition {
  readonly manifest: StoredManifest;
  /** Taken from whatever manifest had it before. Default: none. */
  readonly tag?: string | undefined;
  /** Written to the entry besides its name. Default: none. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Puts a manifest into an index, in place of what had its tag. Without a tag it is listed by its digest, unless it is
 * listed already. What an index that comes in lists itself, and has no name, is no longer listed beside it. The same
 * index is given when nothing changes.
 */
export function addToIndex(index: LayoutIndex, { manifest, tag, annotations }: LayoutAddition): LayoutIndex {
  const entry = entryOf(jsonOf(manifest, tag, annotations));
  const inner = listedBy(manifest);
  const isThis = ({ descriptor }: LayoutEntry) => descriptor.digest === manifest.digest;
  const needed = index.entries.filter(
    (old) => old.name !== undefined || !(inner.has(old.descriptor.digest) || (tag !== undefined && isThis(old))),
  );
  const at = tag === undefined ? needed.findIndex(isThis) : needed.findIndex(({ name }) => name === tag);
  const entries =
    at < 0 ? [...needed, entry] : needed.map((old, place) => (place === at && tag !== undefined ? entry : old));
  return JSON.stringify(entries) === JSON.stringify(index.entries) ? index : { ...index, entries };
}

function listedBy(manifest: StoredManifest): ReadonlySet<OciDigest> {
  const parsed = parseOciManifest(manifest);
  return new Set(parsed.kind === 'index' ? parsed.manifests.map(({ digest }) => digest) : []);
}

/** The name of a layout's only manifest, where there is exactly one under `latest` or at all: what is meant when none is named. */
export function onlyEntry({ entries }: LayoutIndex): LayoutEntry | undefined {
  const latest = entries.filter(({ name }) => name === 'latest');
  if (latest.length > 0) return onlyOf(latest);
  // What only refers to another manifest, as a signature does, has no name.
  const named = entries.filter(({ name }) => name !== undefined);
  return onlyOf(named.length === 0 ? entries : named);
}

function onlyOf(entries: readonly LayoutEntry[]): LayoutEntry | undefined {
  const [first, ...others] = entries;
  return others.every(({ descriptor }) => descriptor.digest === first?.descriptor.digest) ? first : undefined;
}

/**
 * Finds a manifest by name or digest; one that Docker saved, by the whole name of its image, too.
 * @throws IngotError `not-found` with the nearest name, or where several images have the tag.
 */
export function findEntry({ entries }: LayoutIndex, reference: string, address: string): Descriptor | undefined {
  const fitting = entries.filter((entry) => entry.descriptor.digest === reference || isCalled(entry, reference));
  const found = onlyOf(fitting);
  if (found !== undefined || isOciDigest(reference)) return found?.descriptor;
  const names = namesOf(fitting.length > 0 ? fitting : entries);
  const near = nearest(reference, names);
  const why =
    fitting.length > 0 ? `has several images with the tag "${reference}"` : `has nothing called "${reference}"`;
  throw new IngotError('not-found', `${address} ${why}${listed(names)}`, {
    operation: 'oci.read',
    ...(near === undefined || fitting.length > 0 ? {} : { nearest: near }),
    details: { address, reference },
  });
}

function isCalled({ name, image }: LayoutEntry, reference: string): boolean {
  return name === reference || (image !== undefined && image === imageNameOf(reference));
}

/**
 * An image's name as Docker writes it whole, `docker.io/library/churn:7`; undefined for what is no `NAME:TAG`.
 * @example
 * imageNameOf('churn:7'); // 'docker.io/library/churn:7'
 */
export function imageNameOf(text: string): string | undefined {
  try {
    const address = parseRegistryAddress(text, { hub: true });
    return address.tag === undefined ? undefined : formatRegistryAddress(address);
  } catch (error) {
    if (isIngotError(error, 'usage')) return undefined;
    throw error;
  }
}

/** The names of entries, each once, in the order of the index; those that Docker saved, by their image's. */
export function namesOf(entries: readonly LayoutEntry[]): string[] {
  const called = entries.map(({ name, image }) => image?.replace(/^docker\.io\/(?:library\/)?/, '') ?? name);
  return [...new Set(called.flatMap((name) => (name === undefined ? [] : [name])))];
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return '; its manifests have no names';
  return `; it has ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}

function jsonOf(
  manifest: StoredManifest,
  tag: string | undefined,
  more: Readonly<Record<string, string>> | undefined,
): JsonObject {
  const { artifactType } = parseOciManifest(manifest);
  const annotations = Object.entries(tag === undefined ? { ...more } : { ...more, [OCI_ANNOTATIONS.refName]: tag });
  const { mediaType, digest, size } = describeManifest(manifest);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

function entryOf(json: JsonValue | undefined, at = 0): LayoutEntry {
  const descriptor = parseDescriptor(json, `manifests[${at}]`);
  const name = descriptor.annotations?.[OCI_ANNOTATIONS.refName];
  const image = descriptor.annotations?.[OCI_ANNOTATIONS.imageName];
  return { descriptor, name, image, json: isJsonObject(json) ? json : {} };
}

function unreadable(): IngotError {
  return new IngotError('invalid-package', 'index.json of the layout is not an OCI index', { operation: 'oci.read' });
}

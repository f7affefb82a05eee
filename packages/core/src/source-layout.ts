/**
 * A registry in a layout: what `ingot export … -o oci:DIR` made of versions of many models, read as a registry is. It lies
 * on a stick or a share and is only read. Its versions are published anew in memory each time it is opened.
 */

import { createHash } from 'node:crypto';
import { createMemoryBlobStore } from './blob/memory.ts';
import type { BlobStore } from './blob/blob-store.ts';
import { collect } from './blob/bytes.ts';
import { type BundleModel, parseBundle, type VersionFacts } from './bundle-format.ts';
import type { OpenBundle } from './bundle-read.ts';
import type { VersionOrigin } from './capture.ts';
import type { ContentStore, RecipeRef } from './content/content-store.ts';
import { FormatOnce } from './content/store-format.ts';
import { type Digest, parseDigest } from './digest.ts';
import { isIngotError } from './errors.ts';
import { OciLayout } from './oci/layout.ts';
import type { LayoutEntry } from './oci/layout-index.ts';
import { parseOciManifest } from './oci/manifest.ts';
import type { OciDigest } from './oci/oci-place.ts';
import { MEDIA_TYPES } from './package/manifest.ts';
import { parseManifest } from './package/manifest-read.ts';
import { contentsOf } from './promote-version.ts';
import { VERSION_TYPE } from './push-artifact.ts';
import { type ModelName, toModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import type { Registry } from './registry/registry.ts';
import { layoutContents, layoutIsReadOnly } from './source-layout-contents.ts';

/** A registry that lies in a layout, with its contents. */
export interface LayoutRegistry extends AsyncDisposable {
  /** `oci:/media/usb`. */
  readonly address: string;
  readonly registry: Registry;
  readonly contents: ContentStore;
  /** What stands for a store's files; nothing lies in it that could be copied. */
  readonly blobs: BlobStore;
  readonly format: FormatOnce;
}

const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/** A version that the layout has. */
interface Listed {
  readonly name: ModelName;
  readonly number: number;
  readonly aliases: readonly string[];
  readonly facts: VersionFacts;
  readonly publishedAt: string;
  readonly publishedBy: string;
  /** Where it was published, as was told. */
  readonly origin?: VersionOrigin;
  readonly captured: { readonly digest: Digest; readonly sizeBytes: number } | undefined;
}

/**
 * Opens the registry in a layout. Models and versions are those that its names say (`churn:7`), with what `ingot export`
 * told of them; artifacts of other tools are left out.
 * @throws IngotError `not-found` when there is no layout, `invalid-package` when it cannot be read.
 */
export async function openLayoutRegistry(
  directory: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<LayoutRegistry> {
  const layout = new OciLayout(directory);
  const versions = await versionsIn(layout);
  let [at, seed, drawn] = [new Date(0), '', 0];
  const now = (): Date => at;
  const blobs = createMemoryBlobStore({ now, address: layout.address });
  const format = new FormatOnce(blobs);
  await format.create({ ...options, now });
  const recipes = new Map<Digest, Listed>();
  const registry = openLogRegistry({
    blobs,
    actor: 'nobody',
    clock: now,
    format,
    // The same layout gives the same ids, so that what was cached of its models is known again.
    random: (size) => createHash('shake256', { outputLength: size }).update(`${seed}\n${drawn++}`).digest(),
  });
  for (const version of versions) {
    const { name, number, aliases, facts, publishedBy } = version;
    const moment = new Date(version.publishedAt);
    if (moment > at) at = moment;
    [seed, drawn] = [`${name}:${number}`, 0];
    await registry.ensureModel(name, options);
    const origins = [...(facts.lineage?.origins ?? []), ...(version.origin === undefined ? [] : [version.origin])];
    const lineage = { ...facts.lineage, ...(origins.length === 0 ? {} : { origins }) };
    const draft = { ...facts, lineage, labelFrom: 'metadata' as const, recipe: recipeOf(facts.manifest) };
    await registry.publish(name, draft, {
      number,
      actor: publishedBy,
      aliases: [...aliases],
      always: true,
      ...options,
    });
    recipes.set(facts.manifest, version);
  }
  return {
    address: layout.address,
    registry: readOnly(registry, layout.address),
    contents: layoutContents(layout, (manifest) => recipes.get(manifest)?.captured),
    blobs,
    format,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** A layout, opened to bring what is in it into a registry. */
export interface LayoutBundle extends OpenBundle {
  /** What is in it besides: artifacts of other tools, by their names. */
  readonly others: readonly string[];
}

/**
 * Opens the versions in a layout as those of a bundle: under the numbers and aliases they were exported with.
 * @returns undefined where there is no layout, or none of a registry's versions in it.
 * @throws IngotError `invalid-package` for a layout that cannot be read.
 */
export async function openLayoutBundle(directory: string): Promise<LayoutBundle | undefined> {
  const layout = new OciLayout(directory);
  const versions = await versionsIn(layout).catch((error: unknown) => {
    if (isIngotError(error, 'not-found', 'path-not-found')) return [];
    throw error;
  });
  if (versions.length === 0) return undefined;
  const models = new Map<ModelName, readonly Listed[]>();
  for (const version of versions) models.set(version.name, [...(models.get(version.name) ?? []), version]);
  const known = new Set<string>(versions.map(({ facts }) => facts.manifest));
  const { entries } = await layout.index();
  const others = entries.flatMap(({ descriptor, name }) =>
    known.has(descriptor.digest) || descriptor.artifactType === VERSION_TYPE ? [] : (name ?? descriptor.digest),
  );
  return {
    document: { models: [...models].map(([name, listed]) => bundledOf(name, listed, layout.address)) },
    others,
    async contentsOf({ facts, contents }) {
      const [captured] = contents.filter(({ role }) => role === 'captured');
      const reader = layoutContents(layout, () => captured);
      return contentsOf(reader, await reader.openRecipe(recipeOf(facts.manifest)), undefined);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function bundledOf(name: ModelName, listed: readonly Listed[], address: string): BundleModel {
  return {
    name,
    aliases: Object.fromEntries(listed.flatMap(({ aliases, number }) => aliases.map((alias) => [alias, number]))),
    versions: listed.map(({ number, facts, captured, publishedAt, publishedBy, origin }) => ({
      origin: origin ?? { registry: address, model: name, modelId: address, number, publishedAt, publishedBy },
      facts,
      contents: captured === undefined ? [] : [{ role: 'captured', ...captured }],
    })),
  };
}

/** Names the contents of a version in a layout, which are found by its manifest. */
function recipeOf(manifest: Digest): RecipeRef {
  return { digest: manifest, pack: 'layout/0', offset: 0, length: 0 };
}

/** All versions, those of a model oldest first. */
async function versionsIn(layout: OciLayout): Promise<Listed[]> {
  const { entries } = await layout.index();
  const told = await toldIn(layout, entries);
  const found: Listed[] = [];
  for (const { descriptor, name } of entries) {
    if (name !== undefined && !told.has(descriptor.digest))
      found.push(...(await untold(layout, descriptor.digest, name)));
  }
  for (const known of told.values()) found.push(...known);
  const unique = new Map(found.map((version) => [`${version.name}:${version.number}`, version]));
  return aliasedOnce([...unique.values()]).sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : a.number - b.number,
  );
}

/** Of versions that were told of one after another, the last one that had an alias has it. */
function aliasedOnce(versions: readonly Listed[]): Listed[] {
  const holders = new Map<string, Listed>();
  for (const version of versions) for (const alias of version.aliases) holders.set(`${version.name}@${alias}`, version);
  return versions.map((version) => ({
    ...version,
    aliases: version.aliases.filter((alias) => holders.get(`${version.name}@${alias}`) === version),
  }));
}

/** What `ingot export` told of versions, by their manifests. */
async function toldIn(layout: OciLayout, entries: readonly LayoutEntry[]): Promise<ReadonlyMap<OciDigest, Listed[]>> {
  const told = new Map<OciDigest, Listed[]>();
  for (const { descriptor } of entries) {
    if (descriptor.artifactType !== VERSION_TYPE) continue;
    const manifest = parseOciManifest(await layout.manifest(descriptor.digest));
    const document =
      manifest.kind === 'manifest' ? manifest.layers.find(({ mediaType }) => mediaType === VERSION_TYPE) : undefined;
    const { subject } = manifest;
    if (subject === undefined || document === undefined || document.size > MAX_DOCUMENT_BYTES) continue;
    const { models } = parseBundle(await collect(layout.blob(document)));
    const listed = models.flatMap(listedIn).filter(({ facts }) => facts.manifest === subject.digest);
    const before = told.get(subject.digest) ?? [];
    // What was told last stands last.
    told.delete(subject.digest);
    told.set(subject.digest, [...before, ...listed]);
  }
  return told;
}

function listedIn({ name, aliases, versions }: BundleModel): Listed[] {
  return versions.map(({ origin, facts, contents }) => {
    const captured = contents.find(({ role }) => role === 'captured');
    // The history itself stayed where it was.
    const { history: _, ...known } = origin;
    return {
      name,
      origin: known,
      number: origin.number,
      aliases: Object.entries(aliases).flatMap(([alias, number]) => (number === origin.number ? [alias] : [])),
      facts,
      publishedAt: origin.publishedAt,
      publishedBy: origin.publishedBy,
      captured: captured === undefined ? undefined : { digest: captured.digest, sizeBytes: captured.sizeBytes },
    };
  });
}

/** A package of Ingot's that was only copied there: its name says model and number, its manifest the rest. */
async function untold(layout: OciLayout, digest: OciDigest, called: string): Promise<Listed[]> {
  const [, name = '', tag = ''] = /^(.+):([^:]+)$/.exec(called) ?? [];
  if (!/^[1-9]\d{0,14}$/.test(tag)) return [];
  try {
    const { bytes } = await layout.manifest(digest);
    const value = parseOciManifest({ bytes, mediaType: MEDIA_TYPES.manifest });
    if (value.artifactType !== MEDIA_TYPES.artifact) return [];
    const description = parseManifest(bytes);
    const { flavor, layers, signature, metadata } = description;
    const facts: VersionFacts = {
      manifest: parseDigest(digest),
      sizeBytes: layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      fileCount: layers.reduce((sum, layer) => sum + (layer.kind === 'raw' ? 1 : layer.files.length), 0),
      flavor,
      scan: 'not scanned',
      ...(signature === undefined ? {} : { signature }),
      ...(metadata?.description === undefined ? {} : { description: metadata.description }),
    };
    const nobody = { publishedAt: new Date(0).toISOString(), publishedBy: 'unknown' };
    return [{ name: toModelName(name), number: Number(tag), aliases: [], facts, captured: undefined, ...nobody }];
  } catch (error) {
    // What is no package of Ingot's is none of its models; it can be named as a source.
    if (isIngotError(error, 'invalid-package', 'invalid-name')) return [];
    throw error;
  }
}

/**
 * Drops what was told of a version before, so that what is told now counts, and stands last.
 * @param told the artifact that tells of it now.
 */
export async function keepLastTold(layout: OciLayout, subject: OciDigest, told: OciDigest): Promise<void> {
  const { entries } = await layout.index();
  const older = new Set<OciDigest>();
  for (const { descriptor } of entries) {
    if (descriptor.artifactType !== VERSION_TYPE) continue;
    const manifest = parseOciManifest(await layout.manifest(descriptor.digest));
    if (manifest.subject?.digest === subject && descriptor.digest !== told) older.add(descriptor.digest);
  }
  await layout.changeIndex((index) => {
    const isNow = ({ descriptor }: LayoutEntry): boolean => descriptor.digest === told;
    const kept = index.entries.filter((entry) => !older.has(entry.descriptor.digest) && !isNow(entry));
    return { ...index, entries: [...kept, ...index.entries.filter(isNow)] };
  });
}

const READING = ['resolve', 'models', 'model', 'version', 'history', 'log', 'previousAliasTarget'] as const;

/** Refuses whatever would change the registry, and says how it is changed. */
function readOnly(registry: Registry, address: string): Registry {
  const refused = async (): Promise<never> => {
    throw layoutIsReadOnly(address);
  };
  const reading = new Set<PropertyKey>(READING);
  return new Proxy(registry, {
    get: (inner, key) => {
      const value: unknown = Reflect.get(inner, key);
      if (typeof value !== 'function') return value;
      return reading.has(key) ? value.bind(inner) : refused;
    },
  });
}

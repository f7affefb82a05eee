/**
 * A *bundle* is one file that carries versions to where no network leads: a tar of an OCI image layout. Each version is
 * the manifest it always is; one more manifest, the *contents list*, names what else belongs to them: their facts, the
 * histories of their models, what was captured, wheels. So other tools read the models in it, and Ingot reads all.
 */

import type { VersionOrigin } from './capture.ts';
import type { ContentRole } from './content/content-store.ts';
import { isWheelName } from './content/recipe.ts';
import { type Digest, digestOf } from './digest.ts';
import { IngotError } from './errors.ts';
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';
import { MEDIA_TYPES } from './package/manifest.ts';
import { type ModelName, parseAlias, parseModelName } from './ref.ts';
import { Fields } from './registry/fields.ts';
import type { VersionDraft } from './registry/registry.ts';
import { parseOrigin, parsePublished } from './registry/version-body.ts';

/** Media types of what only Ingot reads in a bundle. */
export const BUNDLE_TYPES = {
  artifact: 'application/vnd.ingot.bundle.v1+json',
  captured: 'application/vnd.ingot.captured.v1+json',
  history: 'application/vnd.ingot.history.v1+jsonl',
  wheel: 'application/vnd.ingot.wheel.v1+zip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/** Name of the contents list in `index.json`. */
export const BUNDLE_NAME = 'ingot-bundle';
const REF_NAME = 'org.opencontainers.image.ref.name';
const TITLE = 'org.opencontainers.image.title';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const FORMAT = 1;

/** The empty document that a contents list has as its config. */
export const EMPTY = Buffer.from('{}');

/** A content of a version that is no file of its package. */
export interface BundleContent {
  readonly role: Extract<ContentRole, 'captured' | 'wheel' | 'history'>;
  /** File name of a wheel. */
  readonly path?: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** What is said of a version, as its event will. */
export type VersionFacts = Omit<VersionDraft, 'recipe' | 'upload' | 'modelId' | 'labelFrom'>;

/** A version in a bundle. */
export interface BundleVersion {
  /** Where it was published: registry, number, who, when, approvals, and the digest of the history. */
  readonly origin: VersionOrigin;
  readonly facts: VersionFacts;
  /** The model card, where somebody wrote another than that of the package. */
  readonly card?: string;
  readonly contents: readonly BundleContent[];
}

/** A model in a bundle. */
export interface BundleModel {
  readonly name: ModelName;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Aliases of the versions in it, with their numbers. */
  readonly aliases: Readonly<Record<string, number>>;
  /** Oldest first. */
  readonly versions: readonly BundleVersion[];
}

/** What a bundle says of itself. */
export interface BundleDocument {
  readonly models: readonly BundleModel[];
}

/** Writes the document of a bundle. */
export function encodeBundle({ models }: BundleDocument): Buffer {
  const written = models.map(({ versions, ...model }) => ({
    ...model,
    versions: versions.map(({ facts, ...rest }) => ({ ...rest, facts: { ...facts, ...NO_PLACE } })),
  }));
  return Buffer.from(`${canonicalJson({ format: FORMAT, models: written })}\n`);
}

/** The facts are read as the body of an event is, which says also where the contents lie; in a bundle that is nowhere. */
const NO_PLACE = { number: 1, recipe: { digest: digestOf(''), pack: 'none/0', offset: 0, length: 0 } };

/**
 * Reads the document of a bundle.
 * @throws IngotError `integrity` naming what is wrong, `refused` for a later format.
 */
export function parseBundle(bytes: Uint8Array): BundleDocument {
  const what = 'the contents list of the bundle';
  const value = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  if (!isJsonObject(value)) throw new IngotError('integrity', `${what} is not JSON`, { operation: 'import' });
  const fields = new Fields(value, what);
  if (fields.count('format') !== FORMAT)
    throw new IngotError('refused', `the bundle has format ${fields.count('format')}; this release reads ${FORMAT}`, {
      operation: 'import',
      hint: 'npm install -g ingot@latest',
    });
  const models = fields.objects('models').map((model) => parseModel(model, what));
  if (models.length > 0 && new Set(models.map(({ name }) => name)).size === models.length) return { models };
  throw new IngotError('integrity', `${what} names no model, or one twice`, { operation: 'import' });
}

function parseModel(fields: Fields, what: string): BundleModel {
  const description = fields.optionalText('description');
  const tags = fields.optionalTextMap('tags');
  const versions = fields.objects('versions').map((version) => parseVersion(version, what));
  const aliases = fields.optionalNumberMap('aliases') ?? {};
  const numbers = versions.map(({ origin }) => origin.number);
  if (numbers.length === 0 || numbers.some((number, n) => n > 0 && number <= (numbers[n - 1] ?? 0)))
    fields.fail('versions', 'a list of versions, oldest first');
  for (const [alias, number] of Object.entries(aliases))
    if (!numbers.includes(number) || parseAlias(alias) !== alias) fields.fail('aliases', 'aliases of its versions');
  return {
    name: parseModelName(fields.text('name')),
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
    aliases,
    versions,
  };
}

function parseVersion(fields: Fields, what: string): BundleVersion {
  const { number: _, recipe: __, labelShadowed: ___, ...facts } = parsePublished(fields.object('facts'), what);
  const card = fields.optionalText('card');
  return {
    origin: parseOrigin(fields.inner('origin')),
    facts,
    ...(card === undefined ? {} : { card }),
    contents: fields.objects('contents').map(parseContent),
  };
}

function parseContent(fields: Fields): BundleContent {
  const role = fields.oneOf('role', ['captured', 'wheel', 'history'] as const);
  const content = { role, digest: fields.digest('digest'), sizeBytes: fields.count('sizeBytes') };
  if (role !== 'wheel') return content;
  const path = fields.text('path');
  return isWheelName(path) ? { ...content, path } : fields.fail('path', 'the name of a wheel');
}

/** A manifest as `index.json` lists it. */
export interface ListedManifest {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly artifactType: string;
  /** What other tools call it by. */
  readonly name: string;
}

/** Writes `index.json`. */
export function encodeIndex(manifests: readonly ListedManifest[]): Buffer {
  const listed = manifests.map(({ digest, sizeBytes, artifactType, name }) => ({
    mediaType: MEDIA_TYPES.manifest,
    digest,
    size: sizeBytes,
    artifactType,
    annotations: { [REF_NAME]: name },
  }));
  return Buffer.from(canonicalJson({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: listed }));
}

/** Names a version where only letters, digits, `.`, `_` and `-` may stand: `team/churn` 7 is `team.churn-7`. */
export function nameInBundle(model: string, number: number): string {
  return `${model.replaceAll('/', '.')}-${number}`.slice(-128);
}

/** Writes the manifest of the contents list: the document, then all that it names. */
export function encodeContentsList(document: Buffer, contents: readonly BundleContent[]): Buffer {
  const layers: JsonValue[] = [
    layerOf(BUNDLE_TYPES.artifact, digestOf(document), document.length, 'bundle.json'),
    ...distinct(contents).map(({ role, path, digest, sizeBytes }) =>
      layerOf(BUNDLE_TYPES[role], digest, sizeBytes, path ?? `${role}-${digest.slice(7, 19)}`),
    ),
  ];
  return Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      artifactType: BUNDLE_TYPES.artifact,
      config: { mediaType: BUNDLE_TYPES.empty, digest: digestOf(EMPTY), size: EMPTY.length },
      layers,
    }),
  );
}

function layerOf(mediaType: string, digest: Digest, size: number, title: string): JsonObject {
  return { mediaType, digest, size, annotations: { [TITLE]: title } };
}

/** Contents without those whose digest came before. */
export function distinct<T extends { readonly digest: Digest }>(contents: readonly T[]): readonly T[] {
  return [...new Map(contents.map((content) => [content.digest, content] as const).reverse()).values()].reverse();
}

/** Where a blob lies in a layout. */
export function blobPathOf(digest: Digest): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

/**
 * Reads where the contents list is from `index.json`; undefined when it is no bundle's.
 * @throws IngotError `integrity` for an index that cannot be read.
 */
export function contentsListIn(index: Uint8Array): { readonly digest: Digest; readonly sizeBytes: number } | undefined {
  const value = parseJson(Buffer.from(index.buffer, index.byteOffset, index.byteLength).toString('utf8'));
  if (!isJsonObject(value)) throw new IngotError('integrity', 'index.json is not JSON', { operation: 'import' });
  const listed = new Fields(value, 'index.json').objects('manifests');
  const found = listed.find((manifest) => manifest.optionalText('artifactType') === BUNDLE_TYPES.artifact);
  return found && { digest: found.digest('digest'), sizeBytes: found.count('size') };
}

/**
 * Reads the manifest of the contents list: the document comes first.
 * @throws IngotError `integrity`.
 */
export function documentIn(manifest: Uint8Array): { readonly digest: Digest; readonly sizeBytes: number } {
  const value = parseJson(Buffer.from(manifest.buffer, manifest.byteOffset, manifest.byteLength).toString('utf8'));
  const fields = new Fields(isJsonObject(value) ? value : {}, 'the manifest of the contents list');
  const first = fields.objects('layers')[0] ?? fields.fail('layers', 'a list that begins with the document');
  return { digest: first.digest('digest'), sizeBytes: first.count('size') };
}

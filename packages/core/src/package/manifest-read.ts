import type { Capture } from '../capture.ts';
import type { RecipeContent } from '../content/content-store.ts';
import { type Digest, digestOf, isDigest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import type { EnvironmentVariable } from '../serving/runtime.ts';
import { featureFrom, signatureFrom } from './captured.ts';
import { type Decoder, fields, flag, json, list, maybe, object, oneOf, record, size, text } from './decode.ts';
import {
  ANNOTATIONS,
  type HashedFile,
  type HashedLayer,
  MAX_MANIFEST_BYTES,
  MEDIA_TYPES,
  type PackageFacts,
} from './manifest.ts';
import { parseMetadata } from './metadata-yaml.ts';
import { FLAVORS, type Inference, type Metadata, type PackageDescription } from './package.ts';
import { findCollision, whyUnsafePath } from './paths.ts';

/** What a manifest's bytes say, checked. */
export interface ManifestDescription extends PackageDescription {
  /** In the order of the manifest. Files of tar layers are there when the recipe's contents were given. */
  readonly layers: readonly HashedLayer[];
  readonly config: Digest;
}

/**
 * Reads a manifest that may come from anywhere. Every path is checked to be safe under any directory, and no two may
 * collide. A tar layer's files are known from the recipe's contents; without those they are left out.
 * @throws IngotError `invalid-package` naming the field; `integrity` when the bytes are not those of `expected`.
 */
export function parseManifest(
  bytes: Uint8Array,
  options: {
    readonly expected?: Digest;
    readonly contents?: readonly RecipeContent[];
    readonly captured?: Capture;
  } = {},
): ManifestDescription {
  const digest = digestOf(bytes);
  if (options.expected !== undefined && options.expected !== digest) {
    throw new IngotError('integrity', `the manifest ${options.expected} has other bytes: they are ${digest}`, {
      operation: 'manifest.read',
    });
  }
  if (bytes.length > MAX_MANIFEST_BYTES) throw malformed('it is larger than 4 MB');
  const manifest = object(parseJson(bytes), 'manifest');
  if (manifest.schemaVersion !== 2) throw malformed('schemaVersion is not 2');
  if (manifest.artifactType !== MEDIA_TYPES.artifact) throw malformed(`artifactType is not ${MEDIA_TYPES.artifact}`);
  const annotations = object(manifest.annotations ?? {}, 'annotations');
  const config = digestFrom(object(manifest.config, 'config').digest, 'config.digest');
  const listed = list(layerFrom)(manifest.layers, 'layers');
  const layers = withFiles(listed, options.contents ?? []);
  const files = layers.flatMap((layer) => (layer.kind === 'raw' ? [layer.file] : layer.files));
  checkPaths(files, layers);
  const { typed, ...facts } = factsFrom(annotations[ANNOTATIONS.package]);
  const metadata = metadataFrom(annotations[ANNOTATIONS.metadata], typed);
  const { captured } = options;
  const description: ManifestDescription = {
    manifest: digest,
    ...facts,
    files,
    layers,
    config,
    ...(metadata === undefined ? {} : { metadata }),
    ...(metadata?.description === undefined ? {} : { description: metadata.description }),
  };
  return captured === undefined ? description : withCapture(description, captured);
}

/** Adds what was captured when the version was made: requirements, Python version and whether loading runs code. */
export function withCapture<D extends PackageDescription>(description: D, captured: Capture): D {
  const declared = description.files.some(({ path }) => path === 'requirements.txt');
  const requirements = captured.environment?.requirements ?? [];
  const pythonVersion = description.pythonVersion ?? captured.environment?.python;
  return {
    ...description,
    requirements: declared || requirements.length === 0 ? description.requirements : requirements,
    ...(pythonVersion === undefined ? {} : { pythonVersion }),
    executesCode: description.executesCode || captured.serializer?.executesCode === true,
  };
}

function parseJson(bytes: Uint8Array | string): unknown {
  try {
    return JSON.parse(
      typeof bytes === 'string'
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    );
  } catch (cause) {
    throw malformed('it is not JSON', cause);
  }
}

function malformed(why: string, cause?: unknown): IngotError {
  return new IngotError('invalid-package', `the manifest cannot be used: ${why}`, {
    operation: 'manifest.read',
    cause,
  });
}

function digestFrom(value: unknown, at: string): Digest {
  const found = text(value, at);
  if (!isDigest(found)) throw malformed(`${at} is not a sha256 digest`);
  return found;
}

const fileMetadata = fields<{ readonly mode?: number }>({ mode: maybe(size) });
const tarFacts = fields<{ readonly files: number; readonly sizeBytes: number; readonly executable: readonly string[] }>(
  {
    files: size,
    sizeBytes: size,
    executable: list(text),
  },
);

/** A layer before the files of its tar are known. */
type ListedLayer =
  | (HashedLayer & { readonly kind: 'raw' })
  | {
      readonly kind: 'tar';
      readonly directory: string;
      readonly digest: Digest;
      readonly sizeBytes: number;
      readonly facts: { readonly files: number; readonly executable: ReadonlySet<string> };
    };

const layerFrom: Decoder<ListedLayer> = (value, at) => {
  const layer = object(value, at);
  const annotations = object(layer.annotations ?? {}, `${at}.annotations`);
  const mediaType = text(layer.mediaType, `${at}.mediaType`);
  const digest = digestFrom(layer.digest, `${at}.digest`);
  const sizeBytes = size(layer.size, `${at}.size`);
  const path = text(annotations[ANNOTATIONS.filepath] ?? annotations[ANNOTATIONS.title], `${at}.annotations`);
  if (mediaType.endsWith('.raw')) {
    const { mode = 0o644 } = fileMetadata(parseJson(text(annotations[ANNOTATIONS.fileMetadata] ?? '{}', at)), at);
    return {
      kind: 'raw',
      digest,
      sizeBytes,
      file: { path, sizeBytes, digest, mode: (mode & 0o100) === 0 ? 0o644 : 0o755 },
    };
  }
  const tar = annotations[ANNOTATIONS.tar];
  if (!mediaType.endsWith('.tar') || tar === undefined)
    throw malformed(`${at} has the media type ${mediaType}, which is not read`);
  const facts = tarFacts(parseJson(text(tar, at)), `${at}.${ANNOTATIONS.tar}`);
  return {
    kind: 'tar',
    directory: path,
    digest,
    sizeBytes,
    facts: { files: facts.files, executable: new Set(facts.executable) },
  };
};

/** The first folder of a path, so that a hundred layers do not each go through all files. */
function topOf(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

function groupByTop(contents: readonly RecipeContent[]): ReadonlyMap<string, readonly RecipeContent[]> {
  const groups = new Map<string, RecipeContent[]>();
  for (const content of contents) {
    const top = topOf(content.path ?? '');
    const group = groups.get(top);
    if (group === undefined) groups.set(top, [content]);
    else group.push(content);
  }
  return groups;
}

/** Fills tar layers with the files that the recipe lists below their directory. */
function withFiles(listed: readonly ListedLayer[], contents: readonly RecipeContent[]): HashedLayer[] {
  const raw = new Set(listed.flatMap((layer) => (layer.kind === 'raw' ? [layer.file.path] : [])));
  const inTars = contents.filter(({ role, path }) => role === 'file' && path !== undefined && !raw.has(path));
  const byTop = groupByTop(inTars);
  return listed.map((layer): HashedLayer => {
    if (layer.kind === 'raw') return layer;
    const { directory, digest, sizeBytes, facts } = layer;
    const below = (byTop.get(topOf(directory)) ?? []).filter(({ path }) => path?.startsWith(`${directory}/`) === true);
    const files = (directory === '.' ? inTars : below).map((content): HashedFile => {
      const { path = '' } = content;
      return {
        path,
        sizeBytes: content.sizeBytes,
        digest: content.digest,
        mode: facts.executable.has(path) ? 0o755 : 0o644,
      };
    });
    if (contents.length > 0 && files.length !== facts.files) {
      throw new IngotError(
        'integrity',
        `the recipe lists ${files.length} files in "${directory}", the manifest ${facts.files}`,
        { operation: 'manifest.read' },
      );
    }
    return { kind: 'tar', directory, digest, sizeBytes, files };
  });
}

function checkPaths(files: readonly HashedFile[], layers: readonly HashedLayer[]): void {
  for (const path of [
    ...files.map((file) => file.path),
    ...layers.flatMap((layer) => (layer.kind === 'tar' && layer.directory !== '.' ? [layer.directory] : [])),
  ]) {
    const why = whyUnsafePath(path);
    if (why !== undefined) throw malformed(`it names the path ${JSON.stringify(path.slice(0, 80))}, and ${why}`);
  }
  const collision = findCollision(files.map((file) => file.path));
  if (collision !== undefined)
    throw malformed(`its paths "${collision[0]}" and "${collision[1]}" cannot lie beside each other`);
}

const variable = fields<EnvironmentVariable>({ name: text, description: maybe(text), default: maybe(text) });
const inference = fields<Inference>({ what: text, value: text, from: text });
const facts = fields<PackageFacts>({
  flavor: oneOf(FLAVORS),
  interfacePath: maybe(safePath),
  artifactPath: maybe(safePath),
  setupPath: maybe(safePath),
  signature: maybe(signatureFrom),
  requirements: list(text),
  pythonVersion: maybe(text),
  environmentVariables: list(variable),
  executesCode: flag,
  inferred: list(inference),
  typed: maybe(
    fields<NonNullable<PackageFacts['typed']>>({
      inputFeatures: maybe(list(featureFrom)),
      output: maybe(list(featureFrom)),
      hyperparameters: maybe(record(json)),
    }),
  ),
});

function safePath(value: unknown, at: string): string {
  const path = text(value, at);
  const why = whyUnsafePath(path);
  if (why !== undefined) throw malformed(`${at} is ${JSON.stringify(path.slice(0, 80))}, and ${why}`);
  return path;
}

/** Facts of a manifest that somebody else made are unknown: it is a package of files. */
function factsFrom(annotation: unknown): PackageFacts {
  if (annotation === undefined)
    return { flavor: 'file', requirements: [], environmentVariables: [], executesCode: true, inferred: [] };
  return facts(parseJson(text(annotation, ANNOTATIONS.package)), ANNOTATIONS.package);
}

function metadataFrom(annotation: unknown, typed: PackageFacts['typed']): Metadata | undefined {
  if (annotation === undefined) return undefined;
  const raw: JsonObject = object(parseJson(text(annotation, ANNOTATIONS.metadata)), ANNOTATIONS.metadata);
  const { metadata } = parseMetadata(JSON.stringify(raw), ANNOTATIONS.metadata);
  return isJsonObject(raw)
    ? { ...(metadata ?? { inputFeatures: [], output: [], environmentVariables: [] }), ...typed, raw }
    : undefined;
}

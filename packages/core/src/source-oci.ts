/**
 * Models in registries, layouts and archives, as sources: ModelPack artifacts, KitOps' kits, whatever `oras` pushed, and
 * images with files in `/models`. An address means a manifest; its digest tells whether it has moved.
 */

import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { collect } from './blob/bytes.ts';
import { IngotError } from './errors.ts';
import { openOciArchive } from './oci/archive-reader.ts';
import { checkedBlob } from './oci/checked-blob.ts';
import { isOciDigest } from './oci/digest.ts';
import { OciLayout } from './oci/layout.ts';
import type { ImageManifest } from './oci/manifest.ts';
import { OCI_ANNOTATIONS } from './oci/media-types.ts';
import type { Descriptor, OciDigest, OciReader } from './oci/oci-place.ts';
import { platformOfMachine, readImage } from './oci/platform.ts';
import { parseRegistryAddress } from './oci/registry-address.ts';
import { RegistryPlace } from './oci/registry-place.ts';
import { findCollision, whyUnsafePath } from './package/paths.ts';
import { chooseModel, modelsOfImage } from './source-oci-image.ts';
import { formOf, namesIn, type OciForm, type OciNames } from './source-oci-layers.ts';
import { locationOf, madeAt, nameOf, shortOf, versionOf } from './source-oci-names.ts';
import { madeIn, moveBrought, unpackLayer, verifyBrought } from './source-oci-unpack.ts';
import { type OciSourceAddress, ociSourceOf } from './source/oci-address.ts';
import type { PlaceEntry, SourceFileFacts, SourcePlace } from './source/place.ts';
import type { PlainAddress } from './source/plain-address.ts';
import type { SourceMatch } from './source/source-match.ts';

/** Opens a repository of a registry; nothing is sent. */
export type OpenRepository = (where: { readonly host: string; readonly name: string }) => Promise<OciSource>;

/** Options of {@link openOciSource}. */
export interface OciSourceOptions {
  /** Default: repositories are opened without credentials. */
  readonly openRepository?: OpenRepository;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What a source is read from. `head` says with little to send what a tag names now, where the place has that. */
export type OciSource = OciReader & {
  head?(reference: string, options?: { readonly signal?: AbortSignal }): Promise<Descriptor | undefined>;
  only?(): Promise<string>;
};

interface CallOptions {
  readonly signal?: AbortSignal;
}

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 10_000;
/** What a tar may hold for each byte that it has. */
const MAX_GROWTH = 200;
const SPARE_BYTES = 64 * 1024 * 1024;
const TARS = 'ingot-layers';

/**
 * Opens the registry, layout or archive of an address; nothing is sent.
 * @throws IngotError `usage` for a malformed address.
 */
export async function openOciSource(address: PlainAddress, options: OciSourceOptions): Promise<SourcePlace> {
  const source = ociSourceOf(address);
  return new OciSourcePlace(source, await placeOf(source, options));
}

async function placeOf(
  { kind, where }: OciSourceAddress,
  options: OciSourceOptions,
): Promise<() => Promise<OciSource>> {
  if (kind === 'layout') return async () => new OciLayout(where);
  // An archive is opened when it is asked: it may not be there yet, or be another one by then.
  if (kind === 'archive') return async () => openOciArchive(where);
  const { host, name } = parseRegistryAddress(where);
  const { openRepository, env = {} } = options;
  const opened = (await openRepository?.({ host, name })) ?? new RegistryPlace(host, name, { env });
  return async () => opened;
}

/** A manifest that an address meant, looked through. */
interface Found {
  readonly digest: OciDigest;
  /** Of what the tag named: the index's, where it is one. */
  readonly named: OciDigest;
  readonly image: ImageManifest;
  readonly form: OciForm;
  readonly names: OciNames;
}

class OciSourcePlace implements SourcePlace {
  readonly address: string;
  readonly growsInPlace = false;
  readonly isRemote: boolean;
  readonly #source: OciSourceAddress;
  readonly #open: () => Promise<OciSource>;
  readonly #found = new Map<string, Found>();
  /** What was checked as it came. */
  readonly #verified = new Set<OciDigest>();

  constructor(source: OciSourceAddress, open: () => Promise<OciSource>) {
    this.#source = source;
    this.#open = open;
    this.isRemote = source.kind === 'registry';
    this.address = source.place;
  }

  async match(address: PlainAddress, options: CallOptions = {}): Promise<SourceMatch> {
    return await this.#with(async (place) => {
      const meant = ociSourceOf(address).reference ?? (await place.only?.()) ?? 'latest';
      return await this.#matchOf(place, address, meant, options);
    });
  }

  /** Each named manifest of a layout or an archive, where none is said. Of a repository `latest` is meant. */
  async matches(address: PlainAddress, options: CallOptions = {}): Promise<readonly SourceMatch[]> {
    const { reference, kind } = ociSourceOf(address);
    if (reference !== undefined || kind === 'registry') return [await this.match(address, options)];
    return await this.#with(async (place) => {
      const found: SourceMatch[] = [];
      for await (const tag of place.tags(options)) found.push(await this.#matchOf(place, address, tag, options));
      return found.length === 0 ? [await this.match(address, options)] : found;
    });
  }

  async #matchOf(place: OciSource, address: PlainAddress, meant: string, options: CallOptions): Promise<SourceMatch> {
    const { model } = ociSourceOf(address);
    const found = await this.#find(place, meant, options);
    const files = found.form.kind === 'image' ? [] : filesOf(found, found.form);
    if (files.length > MAX_FILES)
      throw new IngotError('usage', `${address.text} has more than ${MAX_FILES} layers, which no model does`);
    const layers = found.image.layers.reduce((sum, { size }) => sum + size, 0);
    return {
      address,
      kind: 'directory',
      path: folderOf(found.digest),
      location: locationOf(this.address, meant, model),
      name: nameOf(found.names, this.#source, meant, model),
      version: versionOf(found, meant),
      marks: [],
      modifiedAt: new Date(found.names.createdAt ?? 0),
      revision: found.digest,
      files,
      sizeBytes: layers,
      rule: 'only',
      because: isOciDigest(meant) ? 'the manifest of this digest' : `the tag ${meant} is ${shortOf(found.digest)}`,
      notes: notesOf(found.form),
    };
  }

  async file(path: string): Promise<SourceFileFacts | undefined> {
    const found = this.#found.get(path.split('/', 1)[0] ?? '');
    if (found === undefined || found.form.kind === 'image') return undefined;
    return filesOf(found, found.form).find((file) => file.path === path);
  }

  async *list(): AsyncGenerator<PlaceEntry> {}

  async *read(path: string, { start = 0, signal }: CallOptions & { readonly start?: number } = {}) {
    const { descriptor } = this.#layerAt(path);
    const place = await this.#open();
    const options = signal === undefined ? {} : { signal };
    try {
      if (start > 0) yield* place.blob(descriptor, { ...options, range: { start, end: descriptor.size } });
      else yield* checkedBlob(descriptor, place.blob(descriptor, options));
      if (start === 0) this.#verified.add(descriptor.digest);
    } finally {
      await close(place);
    }
  }

  /** Puts files where the artifact says, unpacks its tars, and takes out of an image what is in its models. */
  async arrange(match: SourceMatch, directory: string, options: CallOptions = {}): Promise<string> {
    const found = this.#found.get(match.path);
    if (found === undefined) throw new IngotError('unexpected', `${match.location} was not looked at`);
    const { form, image } = found;
    const limitBytes = image.layers.reduce((sum, { size }) => sum + size, 0) * MAX_GROWTH + SPARE_BYTES;
    const what = match.location.replace(/#.*$/s, '');
    const own = await madeIn(dirname(directory), 'arranged');
    if (form.kind === 'image') {
      const { layers } = form;
      const { model } = ociSourceOf(match.address);
      const models = await this.#with((place) =>
        modelsOfImage({ place, layers, directory: own, what, limitBytes, ...options }),
      );
      return await chooseModel(models, model, what);
    }
    const target = join(own, match.name.split('/').at(-1) ?? 'model');
    const files = filesOf(found, form);
    for (const [index, layer] of form.layers.entries()) {
      const below = files[index]?.path.slice(match.path.length + 1) ?? '';
      const brought = join(directory, below);
      if (!this.#verified.has(layer.descriptor.digest)) await verifyBrought(brought, layer.descriptor);
      if (layer.kind === 'file') await moveBrought(brought, join(target, below), layer.executable);
      else {
        await madeDirectory(target);
        await unpackLayer(brought, target, { packing: layer.packing, what, limitBytes, ...options });
      }
    }
    return inOnlyFolder(target, form);
  }

  async #find(place: OciSource, reference: string, options: CallOptions): Promise<Found> {
    const known = await this.#unchanged(place, reference, options);
    if (known !== undefined) return known;
    const named = (await place.manifest(reference, options)).digest;
    const { digest, image } = await readImage(place, named, platformOfMachine(), options);
    const config =
      image.config.size <= MAX_CONFIG_BYTES ? await collect(place.blob(image.config, options)) : Buffer.alloc(0);
    const form = formOf(image);
    const found = {
      digest,
      named,
      image,
      form,
      names: { ...madeAt(image), ...namesIn(image.config.mediaType, config) },
    };
    if (form.layers.length === 0)
      throw new IngotError(
        'invalid-package',
        `${this.address} has no files under "${reference}": its layers have no names`,
        {
          operation: 'source',
          details: { digest, artifactType: image.artifactType ?? image.config.mediaType },
        },
      );
    refuseUnsafe(found, this.address);
    this.#found.set(folderOf(digest), found);
    return found;
  }

  /** What a tag named before, where it still does; costs a small request, and none for a digest. */
  async #unchanged(place: OciSource, reference: string, options: CallOptions): Promise<Found | undefined> {
    if (this.#found.size === 0) return undefined;
    const digest = isOciDigest(reference) ? reference : (await place.head?.(reference, options))?.digest;
    return [...this.#found.values()].find((one) => one.named === digest);
  }

  #layerAt(path: string): { readonly descriptor: Descriptor } {
    const found = this.#found.get(path.split('/', 1)[0] ?? '');
    const { form } = found ?? {};
    const index =
      found === undefined || form?.kind !== 'artifact'
        ? -1
        : filesOf(found, form).findIndex((file) => file.path === path);
    const layer = form?.layers[index];
    if (layer !== undefined) return layer;
    throw new IngotError('path-not-found', `nothing at ${this.address} is called ${path}`, { operation: 'source' });
  }

  async #with<T>(work: (place: OciSource) => Promise<T>): Promise<T> {
    const place = await this.#open();
    try {
      return await work(place);
    } finally {
      await close(place);
    }
  }
}

async function close(place: OciSource): Promise<void> {
  if (Symbol.asyncDispose in place && typeof place[Symbol.asyncDispose] === 'function') {
    const disposable: unknown = place;
    if (isDisposable(disposable)) await disposable[Symbol.asyncDispose]();
  }
}

function isDisposable(value: unknown): value is AsyncDisposable {
  return typeof value === 'object' && value !== null && Symbol.asyncDispose in value;
}

function folderOf(digest: OciDigest): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 16);
}

/** The layers as files: in the order of the manifest. */
function filesOf({ digest }: Found, { layers }: OciForm & { readonly kind: 'artifact' }): SourceFileFacts[] {
  return layers.map((layer, index) => {
    const { descriptor } = layer;
    const below = layer.kind === 'file' ? layer.path : `${TARS}/${index}.tar`;
    return {
      path: `${folderOf(digest)}/${below}`,
      sizeBytes: descriptor.size,
      modifiedAt: new Date(0),
      revision: descriptor.digest,
    };
  });
}

/** What an artifact calls its files decides where they are written: nothing leaves its directory. */
function refuseUnsafe({ form }: Found, address: string): void {
  const paths = form.layers.flatMap((layer) => ('path' in layer ? [layer.path] : []));
  for (const path of paths) {
    const unsafe = whyUnsafePath(path);
    if (unsafe === undefined && path.split('/', 1)[0] !== TARS) continue;
    throw new IngotError(
      'invalid-package',
      `${address} names a file "${path.slice(0, 80)}": ${unsafe ?? 'it is reserved'}`,
      {
        operation: 'source',
      },
    );
  }
  const collision = findCollision(paths);
  if (collision !== undefined)
    throw new IngotError(
      'invalid-package',
      `${address} names two files that are one on some systems: ${collision.join(', ')}`,
      {
        operation: 'source',
      },
    );
}

function notesOf(form: OciForm): string[] {
  if (form.kind === 'image' || form.skipped.length === 0) return [];
  return [`${form.skipped.length} layers without names were left out`];
}

/** What `oras push churn/` made is the folder, and not a folder in it. */
function inOnlyFolder(target: string, { layers }: OciForm): string {
  const [layer, ...others] = layers;
  const title = layer?.descriptor.annotations?.[OCI_ANNOTATIONS.title];
  const isFolder =
    layer?.kind === 'tar' && others.length === 0 && title !== undefined && whyUnsafePath(title) === undefined;
  return isFolder && isDirectory(join(target, title)) ? join(target, title) : target;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

async function madeDirectory(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined)
    await madeIn(dirname(path), path.slice(dirname(path).length + 1));
}

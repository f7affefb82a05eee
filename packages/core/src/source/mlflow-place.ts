import { digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { toModelName } from '../ref.ts';
import { blobPlace } from './blob-place.ts';
import { localPlace } from './local-place.ts';
import { type MlflowMeaning, meaningOf } from './mlflow-meaning.ts';
import { type MlflowEnv, MlflowServer } from './mlflow-server.ts';
import type { OpenStorage } from './open-place.ts';
import type { PlaceEntry, PlaceListing, SourceFileFacts, SourcePlace } from './place.ts';
import type { PlainAddress } from './plain-address.ts';
import type { SourceMatch } from './source-match.ts';

/** Directories below a model: somebody named something else. */
const MAX_FILES = 10_000;

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Where the files of one meaning lie. */
interface Files {
  readonly place: SourcePlace;
  /** What their paths begin with there. */
  readonly prefix: string;
}

/**
 * The models and runs of an MLflow server as files: paths begin with a folder that stands for what an address means, so
 * that an alias that moves leads to other files. They come through the server, or from the storage that it names.
 */
export class MlflowPlace implements SourcePlace {
  readonly address: string;
  readonly growsInPlace = false;
  readonly isRemote = true;
  readonly #server: MlflowServer;
  readonly #open: OpenStorage;
  readonly #files = new Map<string, Promise<Files>>();

  private constructor(server: MlflowServer, open: OpenStorage) {
    this.address = server.address;
    this.#server = server;
    this.#open = open;
  }

  /** Opens the server of an address; no request is sent. */
  static async open({ root }: PlainAddress, open: OpenStorage, env: MlflowEnv): Promise<MlflowPlace> {
    const trackingUri = root.replace(/^mlflow\+/, '').replace(/\/(?:models|runs)$/, '');
    return new MlflowPlace(await MlflowServer.open(trackingUri, env), open);
  }

  /** Finds what an address means now, with all its files. Throws as asking the server does. */
  async match(address: PlainAddress, options: { readonly signal?: AbortSignal } = {}): Promise<SourceMatch> {
    const meaning = await meaningOf(address, this.#server, options);
    const { name, version, modifiedAt, because } = meaning;
    const folder = digestOf(meaning.artifacts).slice('sha256:'.length, 'sha256:'.length + 16);
    this.#files.set(folder, this.#filesAt(meaning));
    const files: SourceFileFacts[] = [];
    for await (const entry of this.list(`${folder}/`, { enters: () => true, ...options })) {
      if (entry.kind === 'file') files.push(entry);
      if (files.length > MAX_FILES)
        throw new IngotError('usage', `${address.text} holds more than ${MAX_FILES} files, which no model does`);
    }
    if (files.length === 0)
      throw new IngotError('path-not-found', `${address.text} has no files at ${this.address}`, {
        operation: 'source',
      });
    const sums = files.map(({ path, sizeBytes, revision }) => `${path}\t${sizeBytes}\t${revision}\n`).join('');
    const number = version === undefined ? {} : { number: version };
    return {
      address,
      kind: 'directory',
      path: folder,
      location: `${address.text} at ${this.address}`,
      name: toModelName(name),
      version: { text: version === undefined ? folder : String(version), ...number },
      marks: [],
      modifiedAt,
      revision: digestOf(`${meaning.artifacts}\n${version ?? ''}\n${sums}`),
      files,
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      rule: 'only',
      because,
      notes: [],
    };
  }

  async file(path: string, options: CallOptions = {}): Promise<SourceFileFacts | undefined> {
    const parent = path.slice(0, path.lastIndexOf('/') + 1);
    const listing = { enters: () => false, ...(options.signal && { signal: options.signal }) };
    for await (const entry of this.list(parent, listing))
      if (entry.path === path && entry.kind === 'file') return entry;
    return undefined;
  }

  async *list(path: string, listing: PlaceListing): AsyncGenerator<PlaceEntry> {
    const { folder, below, files } = await this.#of(path);
    const cut = files.prefix.length;
    for await (const entry of files.place.list(files.prefix + below, listing))
      yield { ...entry, path: `${folder}/${entry.path.slice(cut)}` };
  }

  async *read(path: string, options: { readonly signal?: AbortSignal; readonly start?: number } = {}) {
    const { below, files } = await this.#of(path);
    yield* files.place.read(files.prefix + below, options);
  }

  async #of(path: string): Promise<{ readonly folder: string; readonly below: string; readonly files: Files }> {
    const [folder = '', ...rest] = path.split('/');
    const files = await this.#files.get(folder);
    if (files === undefined) throw new IngotError('path-not-found', `nothing at ${this.address} is called ${path}`);
    return { folder, below: rest.join('/'), files };
  }

  async #filesAt({ artifacts, isOpen }: MlflowMeaning): Promise<Files> {
    const [, proxied] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*)$/s.exec(artifacts) ?? [];
    if (proxied !== undefined)
      return { place: proxiedPlace(this.#server, isOpen), prefix: `${proxied.replace(/\/+$/, '')}/` };
    const local = /^(?:file:\/\/(?:localhost)?)?(\/.*)$/s.exec(artifacts)?.[1];
    if (local !== undefined) return { place: localPlace(decodeURI(local).replace(/\/+$/, '')), prefix: '' };
    return { place: blobPlace(await this.#open(artifacts)), prefix: '' };
  }
}

/** Artifacts that come through the server. */
function proxiedPlace(server: MlflowServer, isOpen: boolean): SourcePlace {
  const listings = new Map<string, Promise<readonly PlaceEntry[]>>();
  // Files of a version stay as they are; those of a run may still be written.
  const entriesIn = async (directory: string, { signal }: CallOptions): Promise<readonly PlaceEntry[]> => {
    const known = listings.get(directory);
    if (known !== undefined) return await known;
    const listing = server.list(directory, { signal }).then((entries) =>
      entries.map(({ name, sizeBytes }): PlaceEntry => {
        const path = `${directory}/${name}`;
        if (sizeBytes === undefined) return { kind: 'directory', path };
        return { kind: 'file', path, sizeBytes, modifiedAt: new Date(0), revision: String(sizeBytes) };
      }),
    );
    if (!isOpen) listings.set(directory, listing);
    return await listing.catch((error: unknown) => {
      listings.delete(directory);
      throw error;
    });
  };
  async function* list(prefix: string, listing: PlaceListing): AsyncGenerator<PlaceEntry> {
    for (const entry of await entriesIn(prefix.replace(/\/+$/, ''), listing)) {
      if (entry.kind === 'directory' && listing.enters(entry.path)) yield* list(entry.path, listing);
      else yield entry;
    }
  }
  return {
    address: server.address,
    growsInPlace: false,
    isRemote: true,
    file: async () => undefined,
    list,
    read: (path, { start = 0, signal } = {}) => server.read(path, start, { signal }),
  };
}

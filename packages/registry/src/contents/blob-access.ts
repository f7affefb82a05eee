import { isPackId } from '@ingot/core/content/locator';
import { parseUploadRoot, type UploadRoot } from '@ingot/core/content/roots';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { Authorizer, Identity } from '../access/identity.ts';
import type { ModelNames } from './model-names.ts';
import type { PackLedger } from './pack-ledger.ts';
import type { UploadLedger } from './upload-ledger.ts';

/** What a blob of the store is, as far as clients may touch it. */
export type KnownBlob =
  | { readonly kind: 'format' }
  | { readonly kind: 'condemned' }
  | { readonly kind: 'pack'; readonly pack: string; readonly upload: string; readonly moved: boolean }
  | { readonly kind: 'root'; readonly upload: string };

const PACK_KEY = /^packs\/(([a-z0-9][a-z0-9-]{0,63})\/\d+)\.(pack|moved)$/;
const ROOT_KEY = /^roots\/uploads\/([a-z0-9][a-z0-9-]{0,63})\/\d{1,9}\.json$/;
const CONDEMNED_KEY = /^gc\/[a-zA-Z0-9-]{1,64}\.json$/;

/** Says what a key names; undefined for all that clients have no business with. */
export function knownBlob(key: string): KnownBlob | undefined {
  if (key === 'ingot.json') return { kind: 'format' };
  if (CONDEMNED_KEY.test(key)) return { kind: 'condemned' };
  const root = ROOT_KEY.exec(key)?.[1];
  if (root !== undefined) return { kind: 'root', upload: root };
  const [, pack, upload, extension] = PACK_KEY.exec(key) ?? [];
  if (pack === undefined || upload === undefined || !isPackId(pack)) return undefined;
  return { kind: 'pack', pack, upload, moved: extension === 'moved' };
}

/** Decides which blobs of the store a caller may read and write. */
export class BlobAccess {
  readonly #authorizer: Authorizer;
  readonly #uploads: UploadLedger;
  readonly #packs: PackLedger;
  readonly #names: ModelNames;
  /** Reads in what was published past this server, as far as the caller may read it. */
  readonly #catchUp: (mayRead: (model: ModelName) => boolean) => Promise<void>;

  constructor(parts: {
    readonly authorizer: Authorizer;
    readonly uploads: UploadLedger;
    readonly packs: PackLedger;
    readonly names: ModelNames;
    readonly catchUp: (mayRead: (model: ModelName) => boolean) => Promise<void>;
  }) {
    this.#authorizer = parts.authorizer;
    this.#uploads = parts.uploads;
    this.#packs = parts.packs;
    this.#names = parts.names;
    this.#catchUp = parts.catchUp;
  }

  /** Throws `content-not-found` for what the caller may not read, whether it is there or not. */
  async checkRead(identity: Identity, key: string): Promise<KnownBlob> {
    const blob = knownBlob(key);
    if (blob === undefined) throw notThere(key);
    if (blob.kind === 'format' || blob.kind === 'condemned') return blob;
    if (blob.kind === 'root') {
      if ((await this.#uploads.ownerOf(blob.upload)) !== identity.name) throw notThere(key);
      return blob;
    }
    if (await this.mayReadPack(identity, blob.pack)) return blob;
    throw notThere(key);
  }

  /** Throws `forbidden` when there is no model that the caller may push to: what they upload could never be published. */
  async checkUploader(identity: Identity): Promise<void> {
    const mayPush = (model: ModelName) => this.#authorizer.may(identity, 'push', { kind: 'model', model });
    if (this.#authorizer.may(identity, 'push', { kind: 'server' })) return;
    if ((await this.#names.all()).some(({ name }) => mayPush(name))) return;
    this.#authorizer.check(identity, 'push', { kind: 'server' });
  }

  /** Whether the caller may read a pack: as a reader of everything, its writer, or reader of a model that relies on it. */
  async mayReadPack(identity: Identity, pack: string): Promise<boolean> {
    if (this.#authorizer.may(identity, 'read', { kind: 'server' })) return true;
    const upload = pack.slice(0, pack.indexOf('/'));
    if ((await this.#uploads.ownerOf(upload)) === identity.name) return true;
    if (await this.#mayReadOne(identity, await this.#packs.modelsOf(pack))) return true;
    await this.#catchUp((model) => this.#mayRead(identity, model));
    return await this.#mayReadOne(identity, await this.#packs.modelsOf(pack));
  }

  /**
   * Checks a root that somebody wants to write: of their own upload, for a model they may push to, naming only packs
   * that they may read.
   * @throws IngotError `forbidden`, `model-not-found`, `invalid-request`.
   */
  async checkRoot(identity: Identity, upload: string, bytes: Uint8Array): Promise<UploadRoot> {
    const root = parsedRoot(bytes);
    if (root.upload !== upload) throw new IngotError('invalid-request', 'the root names another upload');
    const name = await this.#names.nameOf(root.modelId);
    if (name === undefined) throw new IngotError('model-not-found', `there is no model with the id "${root.modelId}"`);
    this.#authorizer.check(identity, 'push', { kind: 'model', model: name });
    for (const pack of root.packs)
      if (!(await this.mayReadPack(identity, pack)))
        throw new IngotError('forbidden', `the upload relies on pack ${pack}, which is not yours to read`);
    return root;
  }

  async #mayReadOne(identity: Identity, modelIds: readonly string[]): Promise<boolean> {
    for (const id of modelIds) {
      const name = await this.#names.nameOf(id);
      if (name !== undefined && this.#mayRead(identity, name)) return true;
    }
    return false;
  }

  #mayRead(identity: Identity, model: ModelName): boolean {
    return this.#authorizer.may(identity, 'read', { kind: 'model', model });
  }
}

/** What is not there, or must seem so. */
export function notThere(key: string): IngotError {
  return new IngotError('content-not-found', `there is no blob "${key.slice(0, 200)}" here`, {
    details: { key: key.slice(0, 200) },
  });
}

function parsedRoot(bytes: Uint8Array): UploadRoot {
  try {
    return parseUploadRoot(bytes, 'the root');
  } catch (error) {
    if (isIngotError(error, 'integrity')) throw new IngotError('invalid-request', error.message, { cause: error });
    throw error;
  }
}

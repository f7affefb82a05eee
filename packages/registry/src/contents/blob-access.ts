import { isPackId } from '@ingot/core/content/locator';
import { parseUploadRoot, type UploadRoot } from '@ingot/core/content/roots';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { Authorizer, Identity } from '../access/identity.ts';
import type { ModelNames } from './model-names.ts';
import type { PackLedger } from './pack-ledger.ts';
import { joinSpans } from './byte-spans.ts';
import { type Reach, uploadOf } from './reach.ts';
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

  /**
   * Says what a key names, and how much of it the caller may read.
   * @throws IngotError `content-not-found` for what they may not read, whether it is there or not.
   */
  async checkRead(identity: Identity, key: string): Promise<{ readonly blob: KnownBlob; readonly reach: Reach }> {
    const blob = knownBlob(key);
    if (blob === undefined) throw notThere(key);
    if (blob.kind === 'format' || blob.kind === 'condemned') return { blob, reach: 'all' };
    if (blob.kind === 'root') {
      if (!(await this.#uploads.isOwn(blob.upload, identity))) throw notThere(key);
      return { blob, reach: 'all' };
    }
    const reach = await this.reachOf(identity, blob.pack);
    if (reach === undefined) throw notThere(key);
    return { blob, reach };
  }

  /** Throws `forbidden` when there is no model that the caller may push to: what they upload could never be published. */
  async checkUploader(identity: Identity): Promise<void> {
    const mayPush = (model: ModelName) => this.#authorizer.may(identity, 'push', { kind: 'model', model });
    if (this.#authorizer.may(identity, 'push', { kind: 'server' })) return;
    if ((await this.#names.all()).some(({ name }) => mayPush(name))) return;
    this.#authorizer.check(identity, 'push', { kind: 'server' });
  }

  /**
   * What of a pack the caller may read: all of it as a reader of everything, as its writer, or as a reader of a model
   * that it was written for; else what models rely on that they may read; undefined: nothing.
   */
  async reachOf(identity: Identity, pack: string): Promise<Reach | undefined> {
    if (this.#authorizer.may(identity, 'read', { kind: 'server' })) return 'all';
    if (await this.#uploads.isOwn(uploadOf(pack), identity)) return 'all';
    const known = await this.#notedReach(identity, pack);
    if (known !== undefined) return known;
    await this.#catchUp((model) => this.#mayRead(identity, model));
    return await this.#notedReach(identity, pack);
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
      if ((await this.reachOf(identity, pack)) === undefined)
        throw new IngotError('forbidden', `the upload relies on pack ${pack}, which is not yours to read`);
    return root;
  }

  async #notedReach(identity: Identity, pack: string): Promise<Reach | undefined> {
    if ((await this.#readable(identity, await this.#packs.homesOf(uploadOf(pack)))).length > 0) return 'all';
    const models = await this.#readable(identity, await this.#packs.modelsOf(pack));
    const reaches = await Promise.all(models.map((id) => this.#packs.reachOf(pack, id)));
    if (reaches.includes('all')) return 'all';
    const spans = reaches.flatMap((reach) => (reach === undefined || reach === 'all' ? [] : reach));
    return spans.length === 0 ? undefined : joinSpans(spans);
  }

  async #readable(identity: Identity, modelIds: readonly string[]): Promise<readonly string[]> {
    const readable: string[] = [];
    for (const id of modelIds) {
      const name = await this.#names.nameOf(id);
      if (name !== undefined && this.#mayRead(identity, name)) readable.push(id);
    }
    return readable;
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

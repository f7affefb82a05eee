import { type OpenArchive, openArchive, readChecked, type TarMember } from './bundle-archive.ts';
import {
  type BundleContent,
  type BundleDocument,
  type BundleModel,
  type BundleVersion,
  blobPathOf,
  contentsListIn,
  documentIn,
  parseBundle,
} from './bundle-format.ts';
import type { ContentBody, RecipeContent } from './content/content-store.ts';
import { readTold, tellsOf, type ToldHistory } from './bundle-told.ts';
import { createDigester, type Digest } from './digest.ts';
import { IngotError } from './errors.ts';
import { type HashedLayer, MAX_MANIFEST_BYTES } from './package/manifest.ts';
import { parseManifest } from './package/manifest-read.ts';
import { createTarDigester } from './package/tar-digester.ts';
import { contentOfBytes, inOrder } from './promote-version.ts';
import { parseLog } from './registry/log-documents.ts';

/** A bundle that was opened: what it says of itself is checked, and its contents are where it says. */
export interface OpenBundle extends AsyncDisposable {
  readonly document: BundleDocument;
  /** Says what a version consists of. Throws `integrity`, `invalid-package`. */
  contentsOf(version: BundleVersion): Promise<readonly ContentBody[]>;
}

const MAX_INDEX_BYTES = 16 * 1024 * 1024;
const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;

/**
 * Opens a bundle: its index, its contents list and the histories in it are read and checked, and all that they name must
 * be there with the size they say. Contents are read and checked later, when they are stored.
 * @throws IngotError `path-not-found`, `invalid-package` for what is no bundle, `integrity` for a damaged one, `tampered`
 *   when a history does not chain or tells of other versions.
 */
export async function openBundle(path: string): Promise<OpenBundle> {
  const archive = await openArchive(path);
  try {
    const blobs = new Blobs(archive, path);
    const document = await blobs.document();
    for (const model of document.models) await blobs.check(model);
    return {
      document,
      contentsOf: (version) => blobs.contentsOf(version),
      [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose](),
    };
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    throw error;
  }
}

/** The blobs of a bundle, by digest. */
class Blobs {
  readonly #archive: OpenArchive;
  readonly #path: string;
  readonly #checkedHistories = new Map<Digest, ToldHistory>();

  constructor(archive: OpenArchive, path: string) {
    this.#archive = archive;
    this.#path = path;
  }

  async document(): Promise<BundleDocument> {
    const index = this.#archive.members.get('index.json');
    if (index === undefined || index.sizeBytes > MAX_INDEX_BYTES) throw this.#noBundle();
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#archive.read(index)) pieces.push(piece);
    const list = contentsListIn(Buffer.concat(pieces));
    if (list === undefined) throw this.#noBundle();
    const named = documentIn(await this.#small(list, 'the contents list', MAX_INDEX_BYTES));
    return parseBundle(await this.#small(named, 'the contents list', MAX_DOCUMENT_BYTES));
  }

  #noBundle(): IngotError {
    return new IngotError('invalid-package', `${this.#path} is no bundle: it has no contents list of Ingot's`, {
      operation: 'import',
      hint: 'ingot export churn@production -o churn.tar   (makes one)',
    });
  }

  /** Everything of a model is there, and its histories tell what the contents list says of it. */
  async check({ name, versions, aliases }: BundleModel): Promise<void> {
    let newest: ToldHistory | undefined;
    for (const version of versions) newest = await this.#checkVersion(name, version);
    const moved = Object.entries(aliases).find(([alias, number]) => newest?.aliases.get(alias) !== number);
    if (moved !== undefined)
      throw new IngotError('tampered', `the history of "${name}" does not tell that ${moved[0]} names ${moved[1]}`, {
        operation: 'import',
        details: { model: name, alias: moved[0] },
      });
  }

  async #checkVersion(name: string, version: BundleVersion): Promise<ToldHistory> {
    const { origin, facts, contents } = version;
    for (const content of contents) this.#member(content, `a ${content.role} of "${name}"`);
    this.#blob(facts.manifest);
    const history = contents.find(({ role, digest }) => role === 'history' && digest === origin.history);
    if (history === undefined || origin.event === undefined)
      throw new IngotError('integrity', `the bundle has no history of version ${origin.number} of "${name}"`, {
        operation: 'import',
      });
    const told = await this.#toldBy(history, name);
    if (tellsOf(told, version)) return told;
    throw new IngotError(
      'tampered',
      `the history of "${name}" does not tell of its version ${origin.number} as it is`,
      {
        operation: 'import',
        details: { model: name, number: origin.number },
      },
    );
  }

  async #toldBy(history: BundleContent, name: string): Promise<ToldHistory> {
    const known = this.#checkedHistories.get(history.digest);
    if (known !== undefined) return known;
    const what = `the history of "${name}"`;
    const bytes = await this.#small(history, what, MAX_DOCUMENT_BYTES);
    const told = readTold(parseLog(bytes, what));
    this.#checkedHistories.set(history.digest, told);
    return told;
  }

  async contentsOf({ facts, contents }: BundleVersion): Promise<readonly ContentBody[]> {
    const manifest = await this.#document(facts.manifest, 'the manifest', MAX_MANIFEST_BYTES);
    const tars = await this.#filesInTars(manifest);
    const description = parseManifest(manifest, {
      expected: facts.manifest,
      contents: tars.map(({ listed }) => listed),
    });
    const config = await this.#document(description.config, 'the config', MAX_MANIFEST_BYTES);
    const inTar = new Map(tars.map(({ listed: { path = '' }, member }) => [path, member]));
    const files = description.layers.flatMap((layer) => this.#filesOf(layer, inTar));
    const besides = contents.map(({ role, path, digest, sizeBytes }) => ({
      ...this.#body({ role, digest, sizeBytes }, this.#member({ digest, sizeBytes }, `a ${role}`)),
      ...(path === undefined ? {} : { path }),
    }));
    return inOrder([
      ...files,
      ...besides,
      contentOfBytes('config', config, description.config),
      contentOfBytes('manifest', manifest, facts.manifest),
    ]);
  }

  #filesOf(layer: HashedLayer, inTar: ReadonlyMap<string, TarMember>): readonly ContentBody[] {
    if (layer.kind === 'raw') {
      const { path, digest, sizeBytes } = layer.file;
      const member = this.#member({ digest, sizeBytes }, path);
      return [{ ...this.#body({ role: 'file', digest, sizeBytes }, member), path }];
    }
    return layer.files.flatMap(({ path, digest, sizeBytes }) => {
      const member = inTar.get(path);
      return member === undefined ? [] : [{ ...this.#body({ role: 'file', digest, sizeBytes }, member), path }];
    });
  }

  /** Files that lie in tars are known when these are read: their digests, and that the tars are made of nothing else. */
  async #filesInTars(
    manifest: Uint8Array,
  ): Promise<readonly { readonly listed: RecipeContent; readonly member: TarMember }[]> {
    const found: { listed: RecipeContent; member: TarMember }[] = [];
    for (const layer of parseManifest(manifest).layers) {
      if (layer.kind === 'raw') continue;
      const region = this.#member(layer, `the tar of "${layer.directory}"`);
      const tar = createTarDigester();
      for (const member of await this.#archive.inner(region, `the tar of "${layer.directory}"`)) {
        const { path, sizeBytes } = member;
        tar.begin(member);
        const digester = createDigester();
        for await (const piece of this.#archive.read(member)) {
          digester.update(piece);
          tar.update(piece);
        }
        const listed = {
          role: 'file' as const,
          path,
          digest: digester.finish(),
          sizeBytes,
          chunks: sizeBytes > 0 ? 1 : 0,
        };
        found.push({ listed, member });
      }
      if (tar.finish() !== layer.digest) throw damaged(`the tar of "${layer.directory}"`);
    }
    return found;
  }

  /** A content as an upload takes it; other bytes than these are damage, and no change of somebody's. */
  #body(
    content: Pick<ContentBody, 'role' | 'sizeBytes'> & { readonly digest: Digest },
    region: TarMember,
  ): ContentBody {
    const archive = this.#archive;
    return {
      ...content,
      remembered: content.digest,
      async *open() {
        const digester = createDigester();
        for await (const piece of archive.read(region)) {
          digester.update(piece);
          yield piece;
        }
        if (digester.finish() !== content.digest) throw damaged(`the content ${content.digest}`);
      },
    };
  }

  async #small(named: { readonly digest: Digest; readonly sizeBytes: number }, what: string, mostBytes: number) {
    this.#member(named, what);
    return await this.#document(named.digest, what, mostBytes);
  }

  async #document(digest: Digest, what: string, mostBytes: number): Promise<Buffer> {
    const member = this.#blob(digest);
    if (member.sizeBytes > mostBytes)
      throw new IngotError('invalid-package', `${what} has ${member.sizeBytes} bytes, which is too many`, {
        operation: 'import',
      });
    return await readChecked(this.#archive, { ...member, digest }, what);
  }

  #member({ digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number }, what: string): TarMember {
    const member = this.#blob(digest);
    if (member.sizeBytes === sizeBytes) return member;
    throw new IngotError('integrity', `${what} has ${member.sizeBytes} bytes in the bundle, and not ${sizeBytes}`, {
      operation: 'import',
    });
  }

  #blob(digest: Digest): TarMember {
    const member = this.#archive.members.get(blobPathOf(digest));
    if (member !== undefined) return member;
    throw new IngotError('integrity', `the bundle lacks the content ${digest}`, {
      operation: 'import',
      details: { digest },
    });
  }
}

function damaged(what: string): IngotError {
  return new IngotError('integrity', `${what} has other bytes than its digest says; nothing was published`, {
    operation: 'import',
    hint: 'copy the bundle again, and compare its SHA-256 with the one that `ingot export` printed',
  });
}

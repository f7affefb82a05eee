import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf } from './blob/bytes.ts';
import type { Locator, RecipeContent } from './content/content-store.ts';
import { packKey } from './content/locator.ts';
import { type PackEntry, packOf, readPackFooter } from './content/pack.ts';
import { encodePage, encodeRecipe, type Piece } from './content/recipe.ts';
import { absentPacks, uploadRootKey, writeUploadRoot } from './content/roots.ts';
import { readPage, readRecipe } from './content/sweep/read-live.ts';
import { type Digest, digestOf } from './digest.ts';
import { isIngotError } from './errors.ts';
import type { ModelName } from './ref.ts';
import type { Registry } from './registry/registry.ts';

/** What a push of a trial works with. */
export interface PushTools {
  readonly blobs: BlobStore;
  readonly registry: Registry;
  readonly name: ModelName;
  readonly upload: string;
  readonly random: () => number;
  /** Packs that former pushes wrote, also such as died: what they hold may be relied on, if it is still there. */
  readonly packsOfTheDead: string[];
  /** Breaks the protocol: removes the root before the event stands. */
  readonly releasesEarly: boolean;
  readonly now: () => Date;
}

const CONTENTS = Array.from({ length: 10 }, (_, n) => Buffer.from(`content ${n} `.repeat(8)));
const MOST_ROUNDS = 8;

/** Pushes some of ten contents, relying on whatever holds them already; request by request as the format page says. */
export async function pushOnce(tools: PushTools): Promise<void> {
  const { blobs, registry, name, upload, random } = tools;
  const model = await registry.ensureModel(name);
  const wanted = CONTENTS.filter(() => random() < 0.4).concat(Buffer.from(`only ${upload}`));
  const known = await knownPieces(tools, model.base);
  const roots: string[] = [];
  const absent = new Set<string>();
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const plan = layOut(wanted, known, absent, `${upload}/${round}`);
    tools.packsOfTheDead.push(`${upload}/${round}`);
    await blobs.write(packKey(`${upload}/${round}`), packOf(plan.entries));
    const key = uploadRootKey(upload, round);
    roots.push(key);
    const root = { upload, modelId: model.id, at: tools.now().toISOString(), packs: plan.relied };
    await writeUploadRoot(blobs, key, root, {});
    // Both ways to look for packs have their turn.
    const gone = await absentPacks(blobs, plan.relied, {}, plan.relied.length % 2 === 0 ? 1 : Number.POSITIVE_INFINITY);
    for (const pack of gone) absent.add(pack);
    if (gone.size > 0) continue;
    if (tools.releasesEarly) await release(blobs, roots);
    await registry.publish(name, { ...plan.draft, upload, modelId: model.id });
    await release(blobs, roots);
    return;
  }
}

async function release(blobs: BlobStore, roots: readonly string[]): Promise<void> {
  for (const key of roots) await blobs.delete(key);
}

/** Where contents lie: in the newest versions, or in packs of pushes that died. */
async function knownPieces(
  { blobs, random, packsOfTheDead }: PushTools,
  base: readonly Parameters<typeof readRecipe>[1][],
): Promise<Map<Digest, Locator[]>> {
  const known = new Map<Digest, Locator[]>();
  const note = (digest: Digest, place: Locator) => known.set(digest, [...(known.get(digest) ?? []), place]);
  for (const ref of base) {
    await unlessLost(async () => {
      const recipe = await readRecipe(blobs, ref, {});
      for (const page of recipe.pages) {
        for (const piece of await readPage(blobs, page, {})) note(piece.digest, piece);
      }
    });
  }
  const dead = packsOfTheDead[Math.floor(random() * packsOfTheDead.length)];
  if (dead === undefined || random() < 0.5) return known;
  await unlessLost(async () => {
    for (const entry of await readPackFooter(blobs, dead)) note(entry.digest, { pack: dead, ...entry });
  });
  return known;
}

async function unlessLost(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isIngotError(error, 'content-not-found', 'integrity')) throw error;
  }
}

function layOut(
  wanted: readonly Buffer[],
  known: ReadonlyMap<Digest, readonly Locator[]>,
  absent: ReadonlySet<string>,
  pack: string,
) {
  const entries: PackEntry[] = [];
  let offset = 0;
  const add = (bytes: Buffer): Piece => {
    const digest = digestOf(bytes);
    entries.push({ digest, length: bytes.byteLength, open: () => bodyOf(bytes).open() });
    const piece = { digest, pack, offset, length: bytes.byteLength };
    offset += bytes.byteLength;
    return piece;
  };
  const pieces = wanted.map((bytes): Piece => {
    const digest = digestOf(bytes);
    const place = known.get(digest)?.find((found) => !absent.has(found.pack));
    return place === undefined ? add(bytes) : { digest, pack: place.pack, offset: place.offset, length: place.length };
  });
  const manifest = pieces.at(-1) ?? add(Buffer.from('nothing'));
  const contents = pieces.map(
    (piece, n): RecipeContent => ({
      role: n === pieces.length - 1 ? 'manifest' : 'file',
      ...(n === pieces.length - 1 ? {} : { path: `file-${n}` }),
      digest: piece.digest,
      sizeBytes: piece.length,
      chunks: 1,
    }),
  );
  const pages = [{ ...add(encodePage(pieces)), pieces: pieces.length }];
  const relied = [...new Set([pack, ...pieces.map((piece) => piece.pack)])];
  const recipe = add(encodeRecipe({ contents, pages, packs: relied }));
  const draft = {
    manifest: manifest.digest,
    recipe,
    sizeBytes: offset,
    fileCount: contents.length - 1,
    flavor: 'file',
    scan: 'not scanned' as const,
  };
  return { entries, relied, draft };
}

/**
 * A *recipe* rebuilds a package: which contents it has, and *pages* that list, one after another, the *pieces* of all
 * contents. Pages are cut where the digest of a piece says so, not by counting, and carry where their pieces lie; so a
 * version that changes one file shares all other pages with the version before.
 */

import type { Digest } from '../digest.ts';
import { isDigest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { canonicalJson } from '../json.ts';
import { type CheckedObject, isCount, parseObject } from './checked-json.ts';
import type { ContentRole, Locator, PageRef, Recipe, RecipeContent, RecipeRef } from './content-store.ts';
import { checkLocator, isPackId, parseLocator } from './locator.ts';

/** A piece of a content: its digest and where it lies. */
export interface Piece extends Locator {
  readonly digest: Digest;
  /** How it lies in its pack, when not as it is; see `coding.ts`. */
  readonly coding?: string;
  /** Length of its bytes; given when there is a coding, else `length` is. */
  readonly sizeBytes?: number;
}

/** How many bytes of a content a piece is. */
export function pieceSize({ length, sizeBytes }: Pick<Piece, 'length' | 'sizeBytes'>): number {
  return sizeBytes ?? length;
}

const ROLES: readonly ContentRole[] = ['file', 'manifest', 'config', 'captured', 'wheel', 'history'];
const MIN_PAGE_PIECES = 64;
const MAX_PAGE_PIECES = 1024;

/**
 * Says whether a page ends behind a piece: past 64 pieces, where the last six bits of its digest are zero, so that an
 * insertion moves none of the later ends; or when the page would grow too long. So pages have 128 pieces on average, and
 * few have many more: what changes lies in long pages more often than in short ones.
 * @param pieces how many pieces the page has, with this one.
 */
export function endsPage({ digest }: Piece, pieces: number): boolean {
  if (pieces >= MAX_PAGE_PIECES) return true;
  return pieces > MIN_PAGE_PIECES && (Number.parseInt(digest.slice(-2), 16) & 63) === 0;
}

/**
 * Writes a page: the packs it names, and for each piece its digest, the pack's place in that list, offset and length;
 * for a coded piece also the coding and the length of its decoded bytes.
 */
export function encodePage(pieces: readonly Piece[]): Buffer {
  const packs = [...new Set(pieces.map(({ pack }) => pack))];
  const numbers = new Map(packs.map((pack, number) => [pack, number]));
  const rows = pieces.map(({ digest, pack, offset, length, coding, sizeBytes }) => {
    const row = [digest, numbers.get(pack) ?? 0, offset, length];
    return coding === undefined ? row : [...row, coding, sizeBytes ?? 0];
  });
  // Canonical as it is: its keys are in order, and there are too many rows to sort each.
  return Buffer.from(JSON.stringify({ format: 1, packs, pieces: rows }));
}

/** Reads a page. Throws `integrity`. */
export function parsePage(bytes: Uint8Array, what: string): readonly Piece[] {
  const fields = parseObject(bytes, what);
  checkFormat(fields, what);
  const packs = fields.texts('packs');
  return fields.list('pieces').map((row) => parsePiece(row, packs, what));
}

/**
 * Reads which packs the pieces of a page lie in, without reading the pieces: for a page that is listed again as it is.
 * @param pieces how many its recipe says that it has.
 * @throws IngotError `integrity`.
 */
export function parsePagePacks(bytes: Buffer, pieces: number, what: string): readonly string[] {
  const end = bytes.indexOf(PACKS_END);
  const fields = end < 0 ? undefined : parseObject(Buffer.concat([bytes.subarray(0, end), HEAD_END]), what);
  if (fields === undefined || rowsIn(bytes, end + PACKS_END.length) !== pieces)
    throw new IngotError('integrity', `${what} does not have the ${pieces} chunks that its recipe says`);
  checkFormat(fields, what);
  return checkedPacks(fields, what);
}

const PACKS_END = '],"pieces":[';
const HEAD_END = Buffer.from(']}');
const BRACKET = '['.charCodeAt(0);

function rowsIn(bytes: Buffer, from: number): number {
  let rows = 0;
  for (let at = from; at < bytes.byteLength; at += 1) if (bytes[at] === BRACKET) rows += 1;
  return rows;
}

function parsePiece(row: unknown, packs: readonly string[], what: string): Piece {
  const [digest, number, offset, length, coding, sizeBytes]: readonly unknown[] = Array.isArray(row) ? row : [];
  const pack = isCount(number) ? packs[number] : undefined;
  if (
    typeof digest !== 'string' ||
    !isDigest(digest) ||
    pack === undefined ||
    !isCount(offset) ||
    !isCount(length) ||
    length === 0
  ) {
    throw new IngotError('integrity', `${what} holds something that is no chunk`);
  }
  const piece = { digest, ...checkLocator({ pack, offset, length }, what) };
  if (coding === undefined) return piece;
  if (typeof coding === 'string' && isCount(sizeBytes) && sizeBytes > 0) return { ...piece, coding, sizeBytes };
  throw new IngotError('integrity', `${what} holds a chunk whose coding is not said whole`);
}

/** Writes a recipe as it lies in a pack. */
export function encodeRecipe(recipe: Omit<Recipe, 'ref'>): Buffer {
  const { contents, pages, packs } = recipe;
  return Buffer.from(canonicalJson({ format: 1, contents, pages, packs }));
}

/** Reads a recipe whose bytes were checked against the digest of its reference. Throws `integrity`. */
export function parseRecipe(bytes: Uint8Array, ref: RecipeRef): Recipe {
  const what = `the recipe ${ref.digest}`;
  const fields = parseObject(bytes, what);
  checkFormat(fields, what);
  const contents = fields.objects('contents').map((content) => parseContent(content, what));
  const pages = fields.objects('pages').map((page) => ({
    digest: page.digest('digest'),
    ...parseLocator(page, `a page of ${what}`),
    pieces: page.count('pieces'),
  }));
  checkCounts(contents, pages, what);
  return { ref, contents, pages, packs: checkedPacks(fields, what) };
}

function checkedPacks(fields: CheckedObject, what: string): readonly string[] {
  const packs = fields.texts('packs');
  if (packs.every(isPackId)) return packs;
  throw new IngotError('integrity', `${what} names something that is no pack`);
}

function parseContent(fields: CheckedObject, what: string): RecipeContent {
  const named = fields.text('role');
  const role = ROLES.find((known) => known === named);
  if (role === undefined) throw new IngotError('integrity', `${what} has a content of the unknown role "${named}"`);
  const content = {
    role,
    digest: fields.digest('digest'),
    sizeBytes: fields.count('sizeBytes'),
    chunks: fields.count('chunks'),
  };
  if (role !== 'file' && role !== 'wheel') return content;
  const path = fields.text('path');
  if (role === 'wheel' && !isWheelName(path))
    throw new IngotError('integrity', `${what} has a wheel of no such name: ${JSON.stringify(path.slice(0, 80))}`);
  if (!isInside(path))
    throw new IngotError('integrity', `${what} has a file outside its package: ${JSON.stringify(path.slice(0, 80))}`);
  return { ...content, path };
}

/** Says whether a text is the name of a wheel's file, as packages are named: it can be no path. */
export function isWheelName(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._+!]|-(?!-))*\.whl$/.test(text) && text.length <= 250;
}

function isInside(path: string): boolean {
  return (
    !/[\\\0]/.test(path) && path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  );
}

function checkCounts(contents: readonly RecipeContent[], pages: readonly PageRef[], what: string): void {
  const wanted = contents.reduce((sum, { chunks }) => sum + chunks, 0);
  const listed = pages.reduce((sum, { pieces }) => sum + pieces, 0);
  const empty = contents.every(({ chunks, sizeBytes }) => (chunks === 0) === (sizeBytes === 0));
  if (wanted === listed && empty) return;
  throw new IngotError('integrity', `${what} does not add up: its contents have ${wanted} chunks, its pages ${listed}`);
}

function checkFormat(fields: CheckedObject, what: string): void {
  const format = fields.count('format');
  if (format === 1) return;
  throw new IngotError('refused', `${what} has format ${format}; this release reads format 1`, {
    hint: 'npm install -g ingot@latest',
  });
}

import type { Digest } from '../digest.ts';
import type { LargeFile } from './restore-file.ts';
import type { Piece } from './recipe.ts';
import type { PackRange } from './restore-ranges.ts';

/** A file that is made from memory, in one go. */
export interface SmallFile {
  /** Number of its target. */
  readonly target: number;
  readonly path: string;
  readonly mode: number;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Its only piece; none for an empty file. */
  readonly piece?: Piece;
}

/** A large file, and for what it is. */
export interface PlacedFile {
  readonly target: number;
  readonly digest: Digest;
  readonly large: LargeFile;
  /** Whether all of its pieces are planned; before that it cannot be finished. */
  planned: boolean;
  finished: boolean;
}

/** A file of a restore. */
export type RestoreFile = SmallFile | PlacedFile;

/** Says which of the two a file is. */
export function isPlaced(file: RestoreFile): file is PlacedFile {
  return 'large' in file;
}

/** Bytes of a large file that a local file has. */
export interface LocalRun {
  readonly file: PlacedFile;
  readonly at: number;
  readonly from: string;
  readonly start: number;
  readonly length: number;
}

/** Something that a lane of a restore does. */
export type RestoreJob =
  | { readonly kind: 'range'; readonly range: PackRange<RestoreFile> }
  | { readonly kind: 'local'; readonly run: LocalRun }
  | {
      readonly kind: 'copy';
      readonly files: readonly (SmallFile & { readonly from: string; readonly start: number })[];
    }
  | { readonly kind: 'empty'; readonly files: readonly SmallFile[] }
  | { readonly kind: 'again'; readonly file: SmallFile }
  | { readonly kind: 'finish'; readonly file: PlacedFile };

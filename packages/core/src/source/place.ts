/**
 * A *place* is a directory or bucket that other people fill, as plain files: read by name, never written. Paths in it
 * are relative, `/`-separated.
 */

import type { PlainAddress } from './plain-address.ts';
import type { SourceMatch } from './source-match.ts';

/** A file of a place. */
export interface SourceFileFacts {
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** Another text whenever the bytes may be others. */
  readonly revision: string;
  /** The storage's own name for these bytes, where it keeps versions. */
  readonly objectVersion?: string;
}

/** What a listing gives: a file, or a directory that was not entered. */
export type PlaceEntry =
  | ({ readonly kind: 'file' } & SourceFileFacts)
  | { readonly kind: 'directory'; readonly path: string };

/** How a listing goes. */
export interface PlaceListing {
  readonly signal?: AbortSignal;
  /** Whether a directory is entered; one that is not is given as such. */
  readonly enters: (directory: string) => boolean;
}

/** Reads files that others put somewhere. */
export interface SourcePlace {
  /** For people, without secrets. */
  readonly address: string;
  /** Whether files grow in place, so that one may be seen half-written. */
  readonly growsInPlace: boolean;
  /** Whether looking costs a request. */
  readonly isRemote: boolean;
  /** Gives a file; undefined when there is none by that name. Needs no right to list. */
  file(path: string, options?: ObjectOptions): Promise<SourceFileFacts | undefined>;
  /** Lists what lies below a path whose last part may be incomplete (`models/churn_v`); hidden names are left out. */
  list(prefix: string, listing: PlaceListing): AsyncIterable<PlaceEntry>;
  /** Streams a file from a byte on. */
  read(path: string, options?: ObjectOptions & { readonly start?: number }): AsyncIterable<Uint8Array>;
  /** Where a link leads, relative to the place or absolute; undefined for all that is no link. */
  linkTarget?(path: string): Promise<string | undefined>;
  /** All versions that the storage keeps of a file, newest first. */
  versions?(path: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<SourceFileFacts>;
  /** The path of a file or directory on this machine. */
  localPath?(path: string): string;
  /** Finds what an address means, where that is not the name of files. */
  match?(address: PlainAddress, options?: { readonly signal?: AbortSignal }): Promise<SourceMatch>;
  /** Finds everything that an address of several models means. Default: only {@link match} is asked. */
  matches?(address: PlainAddress, options?: { readonly signal?: AbortSignal }): Promise<readonly SourceMatch[]>;
  /** Makes files of what was brought to a directory, where that is not the files themselves; gives where they are. */
  arrange?(match: SourceMatch, directory: string, options?: { readonly signal?: AbortSignal }): Promise<string>;
}

/** Which bytes of a file are meant. */
export interface ObjectOptions {
  readonly signal?: AbortSignal;
  /** One of the storage's versions. Default: the newest. */
  readonly objectVersion?: string;
}

/** Names of files that are being written, or are no business of a model. */
const PASSING = /(?:~|\.(?:tmp|temp|part|partial|swp|swo|crdownload|filepart|download|lock|bak|incomplete))$/i;

/** Hidden files that mean something in a package. */
const MEANT: ReadonlySet<string> = new Set(['.python-version', '.ingotignore']);

/** Says whether a listing leaves a name out: hidden files, but for those that belong to packages. */
export function isHiddenName(name: string): boolean {
  return name.startsWith('.') && !MEANT.has(name);
}

/** Says whether a name is one of a file that others are still writing, or hide. */
export function isPassingName(name: string): boolean {
  return isHiddenName(name) || PASSING.test(name);
}

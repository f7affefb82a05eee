import type { BlobStore } from '../blob-store.ts';

/** What goes wrong on a line, from now on. Bytes count anew for each connection that carries some. */
export type LineFault =
  | { readonly kind: 'none' }
  /** Connections end after so many more bytes in a direction (`up`: to the storage), by a proper end or by a reset. */
  | {
      readonly kind: 'cut';
      readonly direction: 'up' | 'down';
      readonly afterBytes: number;
      readonly how: 'end' | 'reset';
    }
  /** Nothing passes any more after so many bytes in a direction; connections stay open. */
  | { readonly kind: 'stall'; readonly direction: 'up' | 'down'; readonly afterBytes: number }
  /** Everything arrives, in slices of so many bytes with a pause after each. */
  | { readonly kind: 'slow'; readonly sliceBytes: number; readonly pauseMs: number };

/** A way to a storage that can be made bad. */
export interface FaultyLine {
  /** Opens another client whose requests take this way, and that gives up on a silent storage after `silenceMs`. */
  open(): Promise<BlobStore>;
  /** Opens one with the patience that users have: on a busy machine any storage may be silent for a second. */
  openPatient(): Promise<BlobStore>;
  /** Changes what goes wrong, for connections that are open too. */
  set(fault: LineFault): void;
  close(): Promise<void>;
}

/** One empty storage and every wrong way to it. */
export interface BlobStoreFaultSubject {
  /** Opens another client that works. */
  open(): Promise<BlobStore>;
  /** Makes a line to the storage. */
  line(): Promise<FaultyLine>;
  /** How long the impatient clients of lines wait for a silent storage; a second keeps the suite short. */
  readonly silenceMs: number;
  /** Opens a client whose credentials are wrong; left out where the storage has none or checks none. */
  openWithWrongCredentials?(): Promise<BlobStore>;
  /** Opens a client of a bucket (container, folder) that does not exist; left out where writing makes it. */
  openMissingPlace?(): Promise<BlobStore>;
  /** Opens a client of a port where nobody listens. */
  openWhereNobodyListens(): Promise<BlobStore>;
}

/** A statement about blob stores whose storage or line is at fault. */
export interface BlobStoreFaultCase {
  readonly name: string;
  /** What of the subject it needs; a runner skips the case, by name, where that is missing. */
  readonly needs?: 'openWithWrongCredentials' | 'openMissingPlace';
  run(subject: BlobStoreFaultSubject): Promise<void>;
}

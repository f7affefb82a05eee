import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import type { Digest } from '../digest.ts';
import type { StoredEvent } from './events.ts';
import type { Run } from './run.ts';

/** What the logs of one store share. */
export interface LogTools {
  readonly blobs: BlobStore;
  /** Who writes, for the events. */
  readonly actor: string;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** Is told of each event that was written here, once it stands. Default: nobody is. */
  readonly onEvent?: ((log: string, event: StoredEvent) => void) | undefined;
  /**
   * Is told of each event that is about to be written here; the event stands only after this has ended, and is not
   * written when it fails. What was told of may never stand. Default: nobody is.
   */
  readonly beforeEvent?: ((log: string, event: StoredEvent) => Promise<void>) | undefined;
  /**
   * Takes work that nobody waits for until the registry is closed. Where it is given the process stays: caches are written
   * beside its answers, and what it saw a moment ago still counts. Default: all is waited for.
   */
  readonly beside?: ((work: Promise<void>) => void) | undefined;
  /** Aborts when the registry is closed: what was put off is done then. Default: it is never closed. */
  readonly ending?: AbortSignal | undefined;
  /** Is told once of each cache that had to be passed over. */
  readonly warn: (message: string) => void;
  /** Throws `refused` when this machine's clock is off. */
  readonly checkClock: (options: BlobOptions) => Promise<void>;
  /** The address that the store is a mirror of, once that was read: there a later event may arrive before an earlier one. */
  follows?: string;
  /** What to do when a log is not the one that was remembered; a hint for people. */
  readonly forgetHint?: string;
}

/** A log up to some event. */
export interface LogSnapshot<State> {
  /** 0: nothing was written yet. */
  readonly seq: number;
  readonly digest: Digest | null;
  /** Time of the last event. */
  readonly at: string | null;
  readonly state: State;
}

/** A snapshot, and the events since the last full segment when they are known: what a head is made of. */
export interface LogPosition<State> extends LogSnapshot<State> {
  readonly run?: Run;
}

/** What a former process remembers of a log: where it was, and its state if that was kept. */
export interface RememberedPosition<State> {
  readonly seq: number;
  readonly digest: Digest;
  readonly at: string;
  /** Reads the state, if it was kept. */
  state(): State | undefined;
}

/** What `append` gives: the log with the event, and the event, or none when there was nothing to do. */
export interface Appended<State> {
  readonly snapshot: LogSnapshot<State>;
  readonly event?: StoredEvent;
}

/** Options of `refresh`. */
export interface RefreshOptions extends BlobOptions {
  /** Ask only for new events, and take what was remembered for granted. One request when there are none. */
  readonly trusting?: boolean;
  /** Look for the last known event, too: a log that lost its end must not go on with a hole. */
  readonly toWrite?: boolean;
}

/** Options of `append`. */
export interface AppendOptions extends BlobOptions {
  /** Who writes, for the event. Default: whom the log was opened for. */
  readonly actor?: string;
  /**
   * Whether the log was just refreshed `toWrite`, or appended to, by the same operation: then it is not asked first.
   * `lately`: it was not asked, but seen a moment ago; what is decided on that counts only if the event then gets its number.
   */
  readonly seen?: boolean | 'lately';
}

/** What a long operation is doing, for bars and log lines. Bytes only grow within one `phase` and `path`. */
export interface ProgressEvent {
  readonly phase: 'hash' | 'store' | 'fetch' | 'copy' | 'environment' | 'load' | 'check' | 'collect';
  /** The file in flight, or what is being made (`scikit-learn environment`). */
  readonly path: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Of the bytes that are done: those that had to be moved, and those that were there already. Given by `store` and `fetch` where known. */
  readonly newBytes?: number;
  readonly storedBytes?: number;
  /** A line worth showing instead of a bar (what the installer says, for example). */
  readonly message?: string;
}

/** Receives progress; must be fast and must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

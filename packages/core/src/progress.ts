/** What a long operation is doing, for bars and log lines. Bytes only grow within one `phase` and `path`. */
export interface ProgressEvent {
  readonly phase: 'hash' | 'store' | 'fetch' | 'environment' | 'load' | 'check' | 'collect';
  /** The file in flight, or what is being made (`scikit-learn environment`). */
  readonly path: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** A line worth showing instead of a bar (what the installer says, for example). */
  readonly message?: string;
}

/** Receives progress; must be fast and must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

import { stopIfInterrupted } from '../interrupt.ts';
import { type ListPlaces, withNearestPlace } from './nearest-place.ts';
import { CallWatch } from './watch.ts';

/** What was asked of a storage when it failed. */
export interface FailedRemoteCall {
  readonly operation: string;
  readonly key?: string;
  readonly watch: CallWatch;
}

/** What calls to one bucket or container have in common. */
export interface RemoteCallsOptions {
  /** The storage's address, for messages. */
  readonly address: string;
  /** How long the storage may move no byte. */
  readonly silenceMs: number;
  /** The bucket or container; where there is none of the name, `list` is asked for one like it. */
  readonly place: string;
  readonly list: ListPlaces;
  /** Explains a failure in the user's words. */
  readonly explain: (error: unknown, call: FailedRemoteCall) => unknown;
}

/** Calls to one bucket or container: each is watched, and its failure explained. */
export class RemoteCalls {
  readonly #options: RemoteCallsOptions;

  constructor(options: RemoteCallsOptions) {
    this.#options = options;
  }

  /** Makes a call. Throws what its failure means. */
  async make<T>(
    operation: string,
    key: string | undefined,
    signal: AbortSignal | undefined,
    work: (watch: CallWatch) => Promise<T>,
  ): Promise<T> {
    stopIfInterrupted(signal, operation);
    using watch = this.watch(operation, signal);
    try {
      return await work(watch);
    } catch (error) {
      throw await this.nearest(this.explain(error, operation, key, watch), signal);
    }
  }

  /** Watches a call that goes on after this, as reading does. */
  watch(operation: string, signal: AbortSignal | undefined): CallWatch {
    const { address, silenceMs } = this.#options;
    return new CallWatch({ operation, address, signal, silenceMs });
  }

  /** Explains a failure in the user's words. */
  explain(error: unknown, operation: string, key: string | undefined, watch: CallWatch): unknown {
    return this.#options.explain(error, { operation, watch, ...(key === undefined ? {} : { key }) });
  }

  /** Adds the name that was meant to a failure that says that there is no such bucket or container. */
  nearest(error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    return withNearestPlace(error, this.#options.place, this.#options.list, signal);
  }
}

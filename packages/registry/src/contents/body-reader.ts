import type { IncomingMessage } from 'node:http';
import type { EndingReader } from '@ingot/core/content/content-store';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { type BodyPace, tooSlow } from './body-pace.ts';
import { takeConnection } from './taken-connection.ts';

/** From this many bytes on, which have not come yet, it is worth taking the connection: the next request needs a new one. */
const WORTH_TAKING_BYTES = 32 * 1024 * 1024;

/** A body that is to be read. */
export interface ReadableBody {
  readonly request: IncomingMessage;
  /** How many bytes come; a sender that sends others is found out before. Undefined: nobody knows before the end. */
  readonly sizeBytes: number | undefined;
  readonly pace: BodyPace;
  /** Is called when the connection can carry nothing after this body, and must end with the answer. Default: it goes on. */
  readonly onTaken?: () => void;
}

/**
 * Reads the body of a request into memory of the reader's, without a stream: most of what a stream costs is a buffer, and some
 * promises, for each 64 KiB. Where it is known how long it is and the connection can be taken, what comes goes from the system
 * right into that memory.
 *
 * Each read but the last fills what it is given, and ends when more has come, or the end: so the end always comes with
 * bytes. Nothing is read ahead but that.
 */
export class BodyReader implements EndingReader {
  readonly #body: ReadableBody;
  /** How many bytes come; infinite until the end is there, when nobody has said so. */
  #sizeBytes: number;
  readonly #onStop: 'fail' | ((why: IngotError) => void);
  /** Bytes that came and had no place. */
  #early: Uint8Array[] = [];
  #into: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #came = 0;
  #given = 0;
  #failure: IngotError | undefined;
  #waiting: { readonly resolve: (count: number) => void; readonly reject: (error: unknown) => void } | undefined;
  #waitedMs = 0;
  #lastAt = 0;
  #flow: { pause(): void; resume(): void } | undefined;
  #clock: NodeJS.Timeout | undefined;

  /**
   * @param onStop what becomes of a body whose sender stops: reading it fails; or it ends there, and the function learns why.
   */
  constructor(body: ReadableBody, onStop: 'fail' | ((why: IngotError) => void)) {
    this.#body = body;
    this.#sizeBytes = body.sizeBytes ?? Number.POSITIVE_INFINITY;
    this.#onStop = onStop;
  }

  /** Whether all bytes were given that will come. */
  get ended(): boolean {
    return this.#given === this.#sizeBytes || (this.#endsEarly && this.#early.length === 0);
  }

  get #endsEarly(): boolean {
    return this.#failure !== undefined && this.#onStop !== 'fail';
  }

  /** Reads the next bytes. Throws `interrupted` when the sender goes away, `timeout` when it stalls. */
  async read(into: Uint8Array): Promise<number> {
    this.#begin();
    this.#into = into;
    this.#filled = 0;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#place(bytes);
    const count = await new Promise<number>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#lastAt = performance.now();
      this.#look();
      if (this.#waiting !== undefined) this.#flow?.resume();
    });
    this.#given += count;
    return count;
  }

  async close(): Promise<void> {
    clearInterval(this.#clock);
    this.#flow?.pause();
    this.#flow = NO_FLOW;
    this.#body.request.off('error', this.#gone).off('close', this.#gone).off('data', this.#take).off('end', this.#end);
  }

  /** Begins to listen: whatever has come by now waits in the request. */
  #begin(): void {
    if (this.#flow !== undefined) return;
    const { request, pace, onTaken } = this.#body;
    request.on('error', this.#gone).on('close', this.#gone);
    this.#clock = setInterval(() => this.#checkPace(), pace.lookMs);
    for (let bytes: unknown = request.read(); bytes instanceof Uint8Array; bytes = request.read()) this.#take(bytes);
    const taken =
      onTaken === undefined || !this.#isWorthTaking
        ? undefined
        : takeConnection(request, {
            room: () => (this.#waiting === undefined ? undefined : this.#into.subarray(this.#filled)),
            filled: (count) => this.#count(count),
            spilled: (bytes) => this.#take(bytes),
          });
    if (taken !== undefined) onTaken?.();
    else request.on('data', this.#take).on('end', this.#end).pause();
    this.#flow = taken ?? request;
  }

  get #isWorthTaking(): boolean {
    return this.#body.sizeBytes !== undefined && this.#sizeBytes - this.#came >= WORTH_TAKING_BYTES;
  }

  readonly #end = (): void => {
    this.#sizeBytes = this.#came;
    this.#look();
  };

  readonly #gone = (cause?: unknown): void => {
    clearInterval(this.#clock);
    if (this.#came < this.#sizeBytes) this.#stop(goneAway(cause));
  };

  /** Takes bytes that have memory of their own. */
  readonly #take = (bytes: Uint8Array): void => {
    const some = bytes.subarray(0, this.#sizeBytes - this.#came);
    this.#came += some.byteLength;
    this.#lastAt = this.#noteWait();
    this.#place(some);
    this.#look();
  };

  /** Notes bytes that lie where they belong. */
  #count(bytes: number): void {
    const count = Math.min(bytes, this.#sizeBytes - this.#came);
    this.#came += count;
    this.#filled += count;
    this.#lastAt = this.#noteWait();
    this.#look();
  }

  #place(bytes: Uint8Array): void {
    const some = bytes.subarray(0, this.#into.byteLength - this.#filled);
    this.#into.set(some, this.#filled);
    this.#filled += some.byteLength;
    if (some.byteLength < bytes.byteLength) this.#early.push(bytes.subarray(some.byteLength));
  }

  /** Ends the read when its memory is full and more has come, or nothing more will. */
  #look(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return void this.#flow?.pause();
    const isOver = this.#came === this.#sizeBytes || this.#failure !== undefined;
    if (!isOver && this.#early.length === 0) return;
    this.#waiting = undefined;
    this.#flow?.pause();
    const [count, into] = [this.#filled, this.#into];
    this.#into = into.subarray(into.byteLength);
    this.#filled = 0;
    if (this.#failure === undefined || this.#endsEarly) waiting.resolve(count);
    else waiting.reject(this.#failure);
  }

  #noteWait(): number {
    const now = performance.now();
    if (this.#waiting !== undefined) this.#waitedMs += now - this.#lastAt;
    return now;
  }

  // Only the time counts in which the server waits for the client, not that in which it works itself.
  #checkPace(): void {
    if (this.#waiting === undefined) return;
    const error = tooSlow(this.#body.pace, {
      bytes: this.#came,
      silentMs: performance.now() - this.#lastAt,
      waitedMs: this.#waitedMs,
    });
    if (error !== undefined) this.#stop(error);
  }

  #stop(error: IngotError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    if (this.#onStop !== 'fail') this.#onStop(error);
    this.#look();
  }
}

const NO_FLOW = { pause: () => {}, resume: () => {} };

/** A sender that goes away is no failure of the server. */
export function goneAway(cause: unknown): IngotError {
  if (isIngotError(cause)) return cause;
  return new IngotError('interrupted', 'the sender went away before all of the body had come', { cause });
}

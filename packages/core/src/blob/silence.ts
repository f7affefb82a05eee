/** What stores over a network share: how long a silent storage is waited for, and streams that never end short. */

import { finished, type Readable } from 'node:stream';
import { IngotError } from '../errors.ts';
import { stopIfInterrupted } from './interrupt.ts';

const DEFAULT_SECONDS = 30;

/**
 * How long a storage may be silent before a call fails with `unavailable`, in milliseconds: `INGOT_STORAGE_TIMEOUT` in
 * seconds. Default: 30 seconds.
 * @throws IngotError `invalid-config` when that is no positive number.
 */
export function silenceMs(env: Readonly<Record<string, string | undefined>>): number {
  const text = env.INGOT_STORAGE_TIMEOUT;
  if (text === undefined || text === '') return DEFAULT_SECONDS * 1000;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return Math.ceil(seconds * 1000);
  throw new IngotError('invalid-config', `INGOT_STORAGE_TIMEOUT=${text} is not a number of seconds`, {
    hint: `INGOT_STORAGE_TIMEOUT=${DEFAULT_SECONDS}`,
  });
}

/** What {@link wholeStream} has to know. */
export interface WholeStreamOptions {
  readonly key: string;
  /** How many bytes the storage said it would give. */
  readonly sizeBytes: number;
  /** How long to wait for the next bytes while somebody asks for them. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Memory for gathering the pieces. Default: each is given as it comes, without copying. */
  readonly into?: Uint8Array | undefined;
  /** Says what an error of the stream means; errors of this function itself are not given to it. */
  readonly translate: (error: unknown) => unknown;
}

/**
 * Gives the pieces of a body as they come, or gathered, and fails rather than end short: a stream that is silent
 * while it is being waited for, or ends before its size, is `unavailable`. A reader that takes its time is no silence.
 * Whoever stops reading early ends the stream.
 * @throws IngotError `unavailable`, `interrupted`, or what `translate` makes of the stream's own error.
 */
export async function* wholeStream(stream: Readable, options: WholeStreamOptions): AsyncIterable<Uint8Array> {
  const { key, sizeBytes, signal } = options;
  let given = 0;
  let waiting = true;
  const stalled = () => {
    if (waiting) stream.destroy(silent(key, given, options.silenceMs));
  };
  const timer = setTimeout(stalled, options.silenceMs);
  const stop = () => stream.destroy(interruptedBy(signal));
  signal?.addEventListener('abort', stop, { once: true });
  try {
    stopIfInterrupted(signal, 'blob.read');
    const pieces: AsyncIterable<Uint8Array> =
      options.into === undefined ? stream : gathered(stream, options.into, () => timer.refresh());
    for await (const piece of pieces) {
      waiting = false;
      given += piece.byteLength;
      if (given > sizeBytes) throw otherSize(key, given, sizeBytes);
      yield piece;
      stopIfInterrupted(signal, 'blob.read');
      waiting = true;
      timer.refresh();
    }
    if (given < sizeBytes) throw otherSize(key, given, sizeBytes);
  } catch (error) {
    stopIfInterrupted(signal, 'blob.read');
    throw error instanceof IngotError ? error : options.translate(error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    stream.destroy();
  }
}

/**
 * Copies what comes into memory of the reader's, which is given when it is full and at the end. What has come before a
 * failure is given before it is thrown.
 */
async function* gathered(stream: Readable, into: Uint8Array, onBytes: () => void): AsyncGenerator<Uint8Array> {
  let filled = 0;
  let rest: Uint8Array = new Uint8Array(0);
  let end: { readonly error: unknown } | undefined;
  let wake = (): void => {};
  const take = (bytes: Uint8Array): void => {
    const taken = Math.min(bytes.byteLength, into.byteLength - filled);
    into.set(taken === bytes.byteLength ? bytes : bytes.subarray(0, taken), filled);
    filled += taken;
    rest = bytes.subarray(taken);
    if (filled < into.byteLength) return;
    stream.pause();
    wake();
  };
  const forget = finished(stream, { writable: false }, (error) => {
    end = { error };
    wake();
  });
  // An error that comes when nobody reads any more is nobody's.
  stream.on('error', () => {});
  stream.on('data', (bytes: Uint8Array) => {
    onBytes();
    take(bytes);
  });
  try {
    for (;;) {
      while (filled < into.byteLength && end === undefined)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (filled > 0) yield into.subarray(0, filled);
      filled = 0;
      take(rest);
      if (filled === into.byteLength) continue;
      if (end === undefined) stream.resume();
      else if (filled === 0) break;
    }
    if (end.error !== undefined && end.error !== null) throw end.error;
  } finally {
    forget();
  }
}

function silent(key: string, given: number, afterMs: number): IngotError {
  return new IngotError(
    'unavailable',
    `the storage fell silent for ${afterMs / 1000} s after ${given} bytes of "${key}"`,
    {
      operation: 'blob.read',
      details: { key, givenBytes: given },
    },
  );
}

function interruptedBy(signal: AbortSignal | undefined): IngotError {
  return new IngotError('interrupted', 'blob.read was interrupted', { operation: 'blob.read', cause: signal?.reason });
}

function otherSize(key: string, given: number, sizeBytes: number): IngotError {
  const many = given > sizeBytes ? 'more than' : `${given} of`;
  return new IngotError('unavailable', `the storage gave ${many} the ${sizeBytes} bytes of "${key}" it announced`, {
    operation: 'blob.read',
    details: { key, givenBytes: given, sizeBytes },
  });
}

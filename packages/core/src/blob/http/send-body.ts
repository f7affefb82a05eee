import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import type { BlobBody } from '../blob-store.ts';
import { checkBodySize } from '../bytes.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { movingWithin } from './waiting.ts';

/** No more is handed to a socket at once, so that progress shows on slow lines too. */
const SLICE_BYTES = 256 * 1024;

/** What sending needs besides request and body. */
export interface SendBodyOptions {
  /** Named when the body gives another number of bytes than it said. */
  readonly key: string;
  readonly silenceMs: number;
  /** Makes the error of a server that takes no more bytes. */
  readonly stalled: () => Error;
  readonly signal: AbortSignal | undefined;
  /** Settles when the server answers, or the connection breaks, before everything was sent. */
  readonly early: Promise<'answered'>;
}

/**
 * Streams a body into a request as fast as the server takes it; stops where the server answers early.
 * @throws IngotError `integrity` when the body gives another number of bytes than it said; failures of the body as they are.
 */
export async function sendBody(request: ClientRequest, body: BlobBody, options: SendBodyOptions): Promise<void> {
  const { key, signal, early } = options;
  let answered = false;
  early.then(
    () => {
      answered = true;
    },
    () => {},
  );
  let given = 0;
  for await (const piece of body.open()) {
    stopIfInterrupted(signal, 'blob.write');
    if (answered) return;
    given += piece.byteLength;
    if (given > body.sizeBytes) break;
    for (const slice of slicesOf(piece)) if (!request.write(slice)) await drained(request, options);
  }
  checkBodySize(key, body.sizeBytes, given);
  request.end();
}

// `drain` never comes on a connection that broke or a server that answered: whichever is first.
async function drained(request: ClientRequest, { silenceMs, stalled, early }: SendBodyOptions): Promise<void> {
  const controller = new AbortController();
  try {
    const drain = once(request, 'drain', { signal: controller.signal });
    await movingWithin(Promise.race([drain, early]), silenceMs, stalled);
  } finally {
    controller.abort();
  }
}

function* slicesOf(piece: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < piece.byteLength; at += SLICE_BYTES) yield piece.subarray(at, at + SLICE_BYTES);
}

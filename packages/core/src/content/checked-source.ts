import { stopIfInterrupted } from '../blob/interrupt.ts';
import { createDigester, type Digest } from '../digest.ts';
import { IngotError, systemErrorCode } from '../errors.ts';
import type { ContentBody, ContentOptions } from './content-store.ts';

/** A content whose digest is known. */
export interface KnownBody extends ContentBody {
  readonly digest: Digest;
}

/** Finds out the digest of a content by reading it, unless it is known. */
export async function known(content: ContentBody): Promise<KnownBody> {
  if (content.digest !== undefined) return { ...content, digest: content.digest };
  const digester = createDigester();
  for await (const bytes of opened(content)) digester.update(bytes);
  return { ...content, digest: digester.finish() };
}

/** How a content is called in messages: its path, or what it is for. */
export function nameOf(content: Pick<ContentBody, 'path' | 'role'>): string {
  return content.path ?? `the ${content.role}`;
}

/**
 * Streams the bytes of a content that is being stored, and fails before their end when they are not what was announced.
 * @throws IngotError `source-changed` naming the path.
 */
export async function* checkedSource(content: KnownBody, options: ContentOptions): AsyncIterable<Uint8Array> {
  const digester = createDigester();
  let doneBytes = 0;
  for await (const bytes of opened(content)) {
    stopIfInterrupted(options.signal, 'push');
    doneBytes += bytes.byteLength;
    if (doneBytes > content.sizeBytes) throw changed(content, `it has more than the ${content.sizeBytes} bytes it had`);
    digester.update(bytes);
    // The check comes before the last bytes are passed on, so a wrong content never gets to its full length.
    if (doneBytes === content.sizeBytes && digester.finish() !== content.digest)
      throw changed(content, 'its bytes are others than before');
    yield bytes;
    options.onProgress?.({
      phase: 'store',
      path: content.path ?? content.role,
      doneBytes,
      totalBytes: content.sizeBytes,
    });
  }
  if (doneBytes !== content.sizeBytes)
    throw changed(content, `it has ${doneBytes} of the ${content.sizeBytes} bytes it had`);
}

async function* opened(content: ContentBody): AsyncIterable<Uint8Array> {
  try {
    for await (const bytes of content.open()) if (bytes.byteLength > 0) yield bytes;
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    throw changed(content, 'it is not there any more', error);
  }
}

function changed(content: ContentBody, how: string, cause?: unknown): IngotError {
  const path = nameOf(content);
  return new IngotError('source-changed', `${path} changed while it was pushed: ${how}`, {
    operation: 'push',
    hint: 'push again when nothing writes to it any more; nothing was published',
    details: { path },
    cause,
  });
}

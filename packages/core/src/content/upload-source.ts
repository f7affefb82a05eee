import { createDigester, type Digest } from '../digest.ts';
import { IngotError, systemErrorCode } from '../errors.ts';
import type { BlockReader, ContentBody, EndingReader } from './content-store.ts';

/** How a content is called in messages: its path, or what it is for. */
export function nameOf(content: Pick<ContentBody, 'path' | 'role'>): string {
  return content.path ?? `the ${content.role}`;
}

/** The error for a content whose bytes are not, or do not stay, what they were. */
export function sourceChanged(content: ContentBody, how: string, cause?: unknown): IngotError {
  const path = nameOf(content);
  return new IngotError('source-changed', `${path} changed while it was pushed: ${how}`, {
    operation: 'push',
    hint: 'push again when nothing writes to it any more; nothing was published',
    details: { path },
    cause,
  });
}

/**
 * Opens a content for reading into blocks, and sees to it that it gives as many bytes as it said.
 * @throws IngotError `source-changed`.
 */
export async function openSource(content: ContentBody): Promise<EndingReader> {
  if (content.openEnded === true) return await openedToItsEnd(content);
  const reader = await opened(content);
  let done = 0;
  return {
    get ended() {
      return done === content.sizeBytes;
    },
    read: async (into) => {
      if (content.sizeBytes === 0) return 0;
      const count = await reader.read(into.subarray(0, content.sizeBytes - done));
      done += count;
      if (count === 0) throw sourceChanged(content, `it has ${done} of the ${content.sizeBytes} bytes it had`);
      return count;
    },
    close: async () => {
      if (done === content.sizeBytes && (await reader.read(new Uint8Array(1))) > 0)
        throw sourceChanged(content, `it has more than the ${content.sizeBytes} bytes it had`);
      await reader.close();
    },
  };
}

/** Reads a small content at once. Throws `source-changed`. */
export function readNow(content: ContentBody, into: Uint8Array): void {
  try {
    content.readNow?.(into);
  } catch (error) {
    throw gone(content, error);
  }
}

/** Computes the digest of a content by reading it. */
export async function digestOfSource(content: ContentBody): Promise<Digest> {
  const digester = createDigester();
  for await (const bytes of content.open()) digester.update(bytes);
  return digester.finish();
}

async function opened(content: ContentBody): Promise<BlockReader> {
  try {
    return (await content.openBlocks?.()) ?? copying(content);
  } catch (error) {
    throw gone(content, error);
  }
}

async function openedToItsEnd(content: ContentBody): Promise<EndingReader> {
  const reader = await content.openBlocks?.();
  return reader !== undefined && 'ended' in reader ? reader : openEnded(content);
}

/** Reads one piece ahead: only whoever has seen the end knows which bytes were the last. */
function openEnded(content: ContentBody): EndingReader {
  const stream = content.open()[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  let ended = false;
  const advance = async (): Promise<void> => {
    while (rest.byteLength === 0 && !ended) {
      const next = await stream.next();
      if (next.done === true) ended = true;
      else rest = next.value;
    }
  };
  return {
    get ended() {
      return ended && rest.byteLength === 0;
    },
    read: async (into) => {
      await advance();
      const taken = rest.subarray(0, into.byteLength);
      into.set(taken);
      rest = rest.subarray(taken.byteLength);
      await advance();
      return taken.byteLength;
    },
    close: async () => {
      await stream.return?.();
    },
  };
}

function copying(content: ContentBody): BlockReader {
  const stream = content.open()[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    read: async (into) => {
      while (rest.byteLength === 0) {
        const next = await stream.next().catch((error: unknown) => {
          throw gone(content, error);
        });
        if (next.done === true) return 0;
        rest = next.value;
      }
      const taken = rest.subarray(0, into.byteLength);
      into.set(taken);
      rest = rest.subarray(taken.byteLength);
      return taken.byteLength;
    },
    close: async () => {
      await stream.return?.();
    },
  };
}

function gone(content: ContentBody, error: unknown): unknown {
  return systemErrorCode(error) === 'ENOENT' ? sourceChanged(content, 'it is not there any more', error) : error;
}

import { Readable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';

/** Shows each piece that goes by; what it is shown to may make it wait. */
export async function* watched(
  bytes: AsyncIterable<Uint8Array>,
  onPiece: (piece: Uint8Array) => Promise<void> | undefined | void,
): AsyncGenerator<Uint8Array, void> {
  for await (const piece of bytes) {
    const waiting = onPiece(piece);
    if (waiting !== undefined) await waiting;
    yield piece;
  }
}

/** Where RFC 1952 has the system that compressed; 255 says that it is not known. */
const SYSTEM_BYTE = 9;

/** Compresses with gzip: a fixed level, no time, no system. Other releases of zlib may give other bytes of the same tar. */
export async function* gzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const source = Readable.from(bytes, { objectMode: false });
  const gzip = createGzip({ level: constants.Z_BEST_COMPRESSION - 3, memLevel: 8 });
  source.on('error', (error) => gzip.destroy(error));
  let at = 0;
  try {
    for await (const piece of source.pipe(gzip)) {
      const part: Buffer = piece;
      if (at <= SYSTEM_BYTE && at + part.length > SYSTEM_BYTE) part[SYSTEM_BYTE - at] = 255;
      at += part.length;
      yield part;
    }
  } finally {
    source.destroy();
  }
}

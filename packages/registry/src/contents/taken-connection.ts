import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** What becomes of bytes that come on a connection that was taken. */
export interface Taker {
  /** Where the next bytes go. Undefined, or nothing left of it: there is no place now. */
  room(): Uint8Array | undefined;
  /** Is told how many have come there. */
  filled(count: number): void;
  /** Gets those that came when there was no place. */
  spilled(bytes: Uint8Array): void;
}

/** A connection that was taken; nothing comes until `resume`. */
export interface TakenConnection {
  pause(): void;
  resume(): void;
}

/** What comes where nobody has a place for it; small, as it is copied. */
const SPILL_BYTES = 32 * 1024;

/**
 * Takes the rest of a connection from the HTTP server: what comes goes into memory of the taker's, as `onread` of
 * `new net.Socket` does it, which a server cannot say of its connections. The request sees nothing of it. The connection is
 * of no use afterwards and must end with the answer.
 * @returns undefined where it cannot be taken: it is encrypted, or this release of Node.js does it in another way.
 */
export function takeConnection({ socket }: IncomingMessage, taker: Taker): TakenConnection | undefined {
  // Of a class of its own are connections with TLS, whose bytes have to be decrypted.
  if (WAYS === undefined || Object.getPrototypeOf(socket) !== Socket.prototype || socket.destroyed) return undefined;
  const handle: unknown = Reflect.get(socket, '_handle');
  if (!canUseBuffer(handle)) return undefined;
  const spill = Buffer.allocUnsafeSlow(SPILL_BYTES);
  const next = (): Uint8Array => {
    const room = taker.room();
    return room === undefined || room.byteLength === 0 ? spill : room;
  };
  // The server's parser reads the connection itself until somebody listens to its data.
  socket.on('data', () => {});
  socket.pause();
  Reflect.set(socket, WAYS.buffer, spill);
  Reflect.set(socket, WAYS.nextBuffer, next);
  Reflect.set(socket, WAYS.callback, (count: number, buffer: Uint8Array): boolean => {
    if (buffer === spill) taker.spilled(Buffer.from(spill.subarray(0, count)));
    else taker.filled(count);
    return !socket.isPaused();
  });
  handle.useUserBuffer(spill);
  return socket;
}

interface BufferHandle {
  useUserBuffer(buffer: Uint8Array): void;
}

function canUseBuffer(handle: unknown): handle is BufferHandle {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'useUserBuffer' in handle &&
    typeof handle.useUserBuffer === 'function'
  );
}

/** Where a socket keeps what `onread` says. */
interface Ways {
  readonly buffer: symbol;
  readonly nextBuffer: symbol;
  readonly callback: symbol;
}

/** Looks at what `onread` leaves in a socket, for where it does has no public name. */
function waysOf(): Ways | undefined {
  const [bytes, give, take] = [new Uint8Array(1), () => new Uint8Array(1), () => true];
  const plain = placesIn({ buffer: bytes, callback: take });
  const [buffer, callback] = [plain.get(bytes), plain.get(take)];
  const nextBuffer = placesIn({ buffer: give, callback: take }).get(give);
  if (buffer === undefined || callback === undefined || nextBuffer === undefined) return undefined;
  return { buffer, nextBuffer, callback };
}

function placesIn(onread: object): ReadonlyMap<unknown, symbol> {
  const probe = Reflect.construct(Socket, [{ onread }]);
  return new Map(Object.getOwnPropertySymbols(probe).map((symbol) => [Reflect.get(probe, symbol), symbol]));
}

const WAYS = waysOf();

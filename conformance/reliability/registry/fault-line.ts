import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../../packages/core/test/servers/server.ts';

/** What is wrong with a line. */
export type LineFault =
  /** Nobody listens; connections that there are break. */
  | { readonly kind: 'refuses' }
  /** Connections are taken and broken. */
  | { readonly kind: 'resets' }
  /** Nothing comes through, and nobody says so. Connections of that time stay so when the line is whole again. */
  | { readonly kind: 'is silent' }
  /** Each piece of an answer waits. */
  | { readonly kind: 'is slow'; readonly delayMs: number }
  /** Connections break after so many bytes of their answers. */
  | { readonly kind: 'cuts'; readonly afterBytes: number }
  /** Somebody else answers each request over HTTP. */
  | { readonly kind: 'answers'; readonly status: number; readonly body: string };

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  answered: number;
  /** Whether nothing comes through any more. */
  isDead: boolean;
}

/** A line on loopback to a port, which is broken and mended while clients use it. */
export class FaultLine implements AsyncDisposable {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  readonly #others = new Set<Socket>();
  readonly #impostor = createHttpServer((request, response) => {
    request.resume();
    const { status, body } = this.#fault?.kind === 'answers' ? this.#fault : { status: 500, body: '' };
    response.writeHead(status, { 'content-type': 'application/xml', connection: 'close' }).end(body);
  });
  #server: Server | undefined;
  #fault: LineFault | undefined;

  private constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
  }

  /** Lays a line that is whole. */
  static async to(target: number): Promise<FaultLine> {
    const line = new FaultLine(await freePort(), target);
    await line.#listen();
    return line;
  }

  /** Breaks the line. */
  async break(fault: LineFault): Promise<void> {
    this.#fault = fault;
    for (const pair of this.#pairs) {
      pair.answered = 0;
      if (fault.kind === 'is silent') pair.isDead = true;
      else if (fault.kind !== 'is slow' && fault.kind !== 'cuts') end(pair);
    }
    if (fault.kind === 'refuses') await this.#close();
  }

  /** Makes the line whole. */
  async mend(): Promise<void> {
    this.#fault = undefined;
    for (const socket of this.#others) socket.destroy();
    if (this.#server === undefined) await this.#listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) end(pair);
    for (const socket of this.#others) socket.destroy();
    this.#impostor.closeAllConnections();
    await this.#close();
  }

  async #listen(): Promise<void> {
    const server = createServer((client) => this.#take(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }

  #take(client: Socket): void {
    client.on('error', () => {});
    const kind = this.#fault?.kind;
    if (kind === 'resets') client.resetAndDestroy();
    else if (kind === 'answers') this.#hold(client).emit('connection', client);
    else this.#join(client, kind === 'is silent');
  }

  #hold(client: Socket): HttpServer {
    this.#others.add(client);
    client.once('close', () => this.#others.delete(client));
    return this.#impostor;
  }

  #join(client: Socket, isDead: boolean): void {
    const target = connect(this.#target, '127.0.0.1');
    const pair: Pair = { client, target, answered: 0, isDead };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    client.on('data', (piece) => void (pair.isDead || target.write(piece)));
    target.on('data', (piece) => this.#answer(pair, piece));
    for (const socket of [client, target]) {
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#pairs.delete(pair);
        end(pair);
      });
    }
  }

  #answer(pair: Pair, piece: Buffer): void {
    if (pair.isDead) return;
    const fault = this.#fault;
    pair.answered += piece.byteLength;
    if (fault?.kind === 'is slow') setTimeout(() => pair.client.write(piece), fault.delayMs);
    else if (fault?.kind === 'cuts' && pair.answered > fault.afterBytes) {
      const left = piece.byteLength - (pair.answered - fault.afterBytes);
      pair.client.write(piece.subarray(0, Math.max(0, left)), () => end(pair));
    } else pair.client.write(piece);
  }
}

function end({ client, target }: Pair): void {
  target.destroy();
  if (!client.destroyed) client.resetAndDestroy();
}

import { connect as connectTcp, type Socket } from 'node:net';
import type { AuthMethod, Client, SFTPWrapper } from 'ssh2';
import { IngotError } from '../../errors.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import type { SftpAddress } from './address.ts';
import { connectError, lost } from './failures.ts';
import type { HostVerdict, KnownHosts } from './known-hosts.ts';
import { fingerprintOf } from './known-hosts.ts';

/** What a connection needs. */
export interface SftpConnectionOptions {
  readonly address: SftpAddress;
  readonly knownHosts: KnownHosts;
  /** The file that new hosts are added to, for the hint. */
  readonly knownHostsFile: string;
  readonly login: readonly AuthMethod[];
  readonly newClient: () => Client;
  /** After so many milliseconds without an answer, while one is waited for, the connection is given up. */
  readonly silenceMs: number;
}

/** What an operation asks for, and its signal. */
export interface CallOptions {
  readonly operation: string;
  readonly signal: AbortSignal | undefined;
}

type Callback<T> = (error: Error | undefined | null, value: T) => void;

interface Session {
  readonly sftp: SFTPWrapper;
  readonly socket: Socket;
  /** Ends the session; all that waits for an answer fails with the error. */
  readonly fail: (error: Error) => void;
  readonly waiting: Set<(error: Error) => void>;
  readonly timer: NodeJS.Timeout;
}

/**
 * One SSH connection with one SFTP session, made when it is first needed and again after it broke. Many requests may be
 * under way on it. It keeps the process alive only while an answer is waited for.
 */
export class SftpConnection {
  readonly #options: SftpConnectionOptions;
  #session: Promise<Session> | undefined;

  constructor(options: SftpConnectionOptions) {
    this.#options = options;
  }

  /**
   * Sends one request and gives its answer. Failures that the server answered with are thrown as they are; see `failures.ts`.
   * @throws IngotError `unavailable` when the connection breaks or stays silent, `interrupted`, and what connecting may fail with.
   */
  async call<T>(options: CallOptions, request: (sftp: SFTPWrapper, done: Callback<T>) => void): Promise<T> {
    stopIfInterrupted(options.signal, options.operation);
    const session = await untilInterrupted(this.#open(), options);
    return untilInterrupted(this.#ask(session, request), options);
  }

  #ask<T>(session: Session, request: (sftp: SFTPWrapper, done: Callback<T>) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const finish = () => {
        session.waiting.delete(reject);
        session.timer.refresh();
        // A socket that is gone would take a listener instead.
        if (session.waiting.size === 0 && !session.socket.destroyed) session.socket.unref();
      };
      if (session.waiting.size === 0) {
        session.socket.ref();
        session.timer.refresh();
      }
      session.waiting.add(reject);
      try {
        request(session.sftp, (error, value) => {
          finish();
          if (error) reject(error);
          else resolve(value);
        });
      } catch (error) {
        finish();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #open(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const opening = this.#connect();
    this.#session = opening;
    // One that fails is not remembered: the next request tries again.
    opening.catch(() => this.#drop(opening));
    return opening;
  }

  #drop(session: Promise<Session>): void {
    if (this.#session === session) this.#session = undefined;
  }

  async #connect(): Promise<Session> {
    const { address, knownHosts, login, newClient, silenceMs } = this.#options;
    const { host, port } = address;
    const client = newClient();
    // A client may report a broken connection more than once; the first time is dealt with below.
    client.on('error', () => {});
    let refusal: IngotError | undefined;
    try {
      const socket = await connectSocket(host, port, silenceMs);
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve);
        client.once('error', (error) => reject(refusal ?? error));
        client.once('close', () => reject(refusal ?? new Error('the server closed the connection')));
        client.connect({
          sock: socket,
          username: address.user,
          readyTimeout: silenceMs,
          authHandler: login,
          algorithms: {
            serverHostKey: { prepend: preferred(knownHosts.keyTypes(host, port)), append: [], remove: [] },
          },
          hostVerifier: (key) => {
            refusal = this.#refusalOf(knownHosts.judge(host, port, key), key);
            return refusal === undefined;
          },
        });
      });
      return await this.#startSession(client, socket);
    } catch (error) {
      client.destroy();
      throw connectError(refusal ?? error, address, login);
    }
  }

  async #startSession(client: Client, socket: Socket): Promise<Session> {
    const { address, silenceMs } = this.#options;
    const sftp = await opened(client, silenceMs);
    const waiting = new Set<(error: Error) => void>();
    const own = this.#session;
    const fail = (error: Error) => {
      clearTimeout(timer);
      if (own !== undefined) this.#drop(own);
      for (const reject of [...waiting]) reject(lost(error, address.shown));
      waiting.clear();
      client.destroy();
    };
    const timer = setTimeout(() => {
      // Time in which nothing was asked is no silence.
      if (waiting.size > 0) fail(new Error(`it was silent for ${silenceMs / 1000} s`));
    }, silenceMs);
    timer.unref();
    // Bytes of a large answer show that the line moves, long before the answer is whole.
    socket.on('data', () => timer.refresh());
    client.on('error', fail);
    client.on('close', () => fail(new Error('the server closed the connection')));
    sftp.on('close', () => fail(new Error('the server closed the session')));
    socket.unref();
    return { sftp, socket, fail, waiting, timer };
  }

  #refusalOf(verdict: HostVerdict, key: Buffer): IngotError | undefined {
    const { address, knownHostsFile } = this.#options;
    const { host, port, shown } = address;
    const fingerprint = fingerprintOf(key);
    const details = { host, port, fingerprint };
    const name = port === 22 ? host : `[${host}]:${port}`;
    if (verdict.kind === 'known') return undefined;
    if (verdict.kind === 'unknown')
      return new IngotError('refused', `the host of ${shown} is not known; it shows the key ${fingerprint}`, {
        operation: 'open',
        hint: `ssh-keyscan ${port === 22 ? '' : `-p ${port} `}${host} >> ${knownHostsFile}   (compare the fingerprint with what the host's owner says first)`,
        details,
      });
    const why = verdict.kind === 'revoked' ? 'that was revoked' : 'that is not the one in the known hosts';
    return new IngotError('refused', `the host of ${shown} shows a key ${why}: ${fingerprint}`, {
      operation: 'open',
      hint: `if its owner says that the key is right: ssh-keygen -f ${knownHostsFile} -R '${name}', then add the new one`,
      details,
    });
  }
}

function connectSocket(host: string, port: number, silenceMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer for ${silenceMs / 1000} s`));
    }, silenceMs);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

async function opened(client: Client, silenceMs: number): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no SFTP session for ${silenceMs / 1000} s`)), silenceMs);
    client.once('close', () => reject(new Error('the server closed the connection')));
    client.sftp((error, sftp) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(sftp);
    });
  });
}

// A key of type `ssh-rsa` is shown with the newer signatures too.
function preferred(types: readonly string[]): string[] {
  return types
    .flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [type]))
    .filter(isSpoken);
}

function isSpoken(type: string): boolean {
  return /^(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|rsa-sha2-(?:256|512)|ssh-rsa)$/.test(type);
}

// The work goes on: what it asked for cannot be unasked, but nobody waits for it.
async function untilInterrupted<T>(work: Promise<T>, { signal, operation }: CallOptions): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => {});
  let onAbort = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    onAbort = () => {
      try {
        stopIfInterrupted(signal, operation);
      } catch (error) {
        reject(error);
      }
    };
    signal.addEventListener('abort', onAbort, { once: true });
    onAbort();
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    interrupted.catch(() => {});
  }
}

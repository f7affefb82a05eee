import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { JsonObject, JsonValue } from '@ingot/core/json';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { lineLevel } from './line-level.ts';
import { encodeFrame, type Frame, FrameReader, PROTOCOL } from './frames.ts';
import { loadFailure, requestFailure } from './worker-errors.ts';

/** How a worker's process is started; nothing in it belongs to one package but its declared variables. */
export interface WorkerSettings {
  /** The interpreter to run. */
  readonly python: string;
  /** Path of the worker's `main.py`. */
  readonly script: string;
  /** The whole environment of the process. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where a private directory for the socket may be made; a short path. */
  readonly temporaryDirectory: string;
  readonly loadTimeoutMs: number;
  readonly clock: Clock;
  /** Receives the server's lines about the worker and what the model's code prints. */
  readonly log: Log;
}

/** What a caller of a slow step brings along. */
interface Call {
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  readonly id: number;
  readonly resolve: (result: PredictResult) => void;
  readonly reject: (error: unknown) => void;
}

const KEPT_LINES = 20;

/**
 * One Python process that holds one loaded package, or waits for it. It answers one request at a time; the caller queues.
 * A worker that died or was stopped answers nothing more and calls `onExit` once.
 */
export class WorkerProcess implements AsyncDisposable {
  readonly #settings: WorkerSettings;
  readonly #child: ChildProcess;
  readonly #lastLines: string[] = [];
  readonly #exited: Promise<void>;
  #socket: Socket | undefined;
  #onFrame: (frame: Frame) => void = () => {};
  #onExit: () => void = () => {};
  #exit: string | undefined;
  #stopping = false;
  #waiting: Waiting | undefined;
  #nextId = 1;
  #memoryBytes = 0;
  #learned: JsonValue = null;
  #modules: readonly string[] = [];

  private constructor(settings: WorkerSettings, socketPath: string) {
    this.#settings = settings;
    this.#child = spawn(settings.python, ['-u', settings.script, '--socket', socketPath], {
      cwd: dirname(settings.script),
      // ONNX Runtime tells its makers how it is used unless it is told not to; what the user has set stays.
      env: { ORT_DISABLE_TELEMETRY: '1', ...settings.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C reaches the server, which lets running requests end before it stops workers.
      detached: true,
    });
    this.#child.stdin?.on('error', () => {}); // the lifeline breaks when the process ends; its exit is what counts
    this.#follow(this.#child.stdout, 'info');
    this.#follow(this.#child.stderr, 'warn');
    this.#exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        this.#ended(how);
        resolve();
      };
      this.#child.once('error', (error) => ended(`could not be started: ${error.message}`));
      this.#child.once('exit', (code, signal) =>
        ended(signal ? `was killed by ${signal}` : `ended with status ${code}`),
      );
    });
  }

  /**
   * Starts a process and waits until it can be told what to load.
   * @throws IngotError `environment-failed` (the interpreter does not run), `model-failed`, `timeout`, `interrupted`.
   */
  static async launch(settings: WorkerSettings, { signal }: Call = {}): Promise<WorkerProcess> {
    const directory = await mkdtemp(join(settings.temporaryDirectory, 'ingot-'));
    let server: Server | undefined;
    try {
      const socketPath = join(directory, 'w.sock');
      server = await listen(socketPath);
      const worker = new WorkerProcess(settings, socketPath);
      server.once('connection', (socket) => worker.#attach(socket));
      try {
        worker.#greet(await worker.#next(signal));
        return worker;
      } catch (error) {
        await worker.stop();
        throw error;
      }
    } finally {
      server?.close();
      await rm(directory, { recursive: true, force: true });
    }
  }

  /**
   * Loads a package: `directory`, `flavor`, `interfacePath`, `artifactPath`, `signature`. Once, and after that it answers.
   * The process is stopped when it cannot.
   * @throws IngotError `model-failed`, `invalid-package`, `environment-mismatch` (a module is missing), `timeout`, `interrupted`.
   */
  async load(order: JsonObject, { signal }: Call = {}): Promise<void> {
    try {
      this.#send({ type: 'load', ...order });
      let header = await this.#next(signal);
      while (header.type === 'preloaded') header = await this.#next(signal);
      if (header.type !== 'loaded') throw this.#loadFailed(header);
      this.#learned = header.signature ?? null;
      if (Array.isArray(header.modules)) this.#modules = header.modules.filter((name) => typeof name === 'string');
      this.#onFrame = (frame) => this.#answer(frame);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Has a worker that has loaded nothing yet import modules of its environment, until it is told to load. `onDone` is
   * called when all are imported before that.
   */
  preload(modules: readonly string[], onDone: () => void): void {
    this.#onFrame = ({ header }) => {
      this.#remember(header);
      if (header.type === 'preloaded') onDone();
    };
    this.#send({ type: 'preload', modules });
  }

  /** Whether the process runs and is connected. */
  get isAlive(): boolean {
    return this.#exit === undefined && this.#socket !== undefined && !this.#stopping;
  }

  /** Names of the modules that loading imported from the interpreter's environment, in that order. */
  get modules(): readonly string[] {
    return this.#modules;
  }

  /** What the estimator says about its signature, when the package declares none. */
  get learned(): JsonValue {
    return this.#learned;
  }

  /** Resident memory as last reported. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Called once when the process has ended, for whatever reason. */
  onExit(listener: () => void): void {
    this.#onExit = listener;
  }

  /** Answers one request. Rejects `model-failed` when the process dies; never call it while another one runs. */
  predict(request: PredictRequest): Promise<PredictResult> {
    return new Promise((resolve, reject) => {
      if (this.#exit !== undefined || this.#socket === undefined) return reject(this.#died());
      const id = this.#nextId++;
      this.#waiting = { id, resolve, reject };
      try {
        this.#send({ type: 'predict', id, method: request.method ?? 'predict' }, request.inputs);
      } catch (error) {
        this.#waiting = undefined;
        reject(error);
      }
    });
  }

  /** Kills the process at once (a request that does not end). */
  kill(): void {
    this.#stopping = true;
    const { pid } = this.#child;
    if (pid === undefined || this.#exit !== undefined) return;
    try {
      process.kill(-pid, 'SIGKILL'); // the group: what the model's code has started goes too
    } catch {
      this.#child.kill('SIGKILL');
    }
  }

  /** Lets the process end by itself, kills it when it does not within two seconds, and waits for its end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#socket?.destroy();
    this.#child.stdin?.destroy();
    const cancel = this.#settings.clock.after(2000, () => this.kill());
    await this.#exited;
    cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Waits for the next frame. Rejects when the process ends, time runs out, or the caller gives up. */
  #next(signal: AbortSignal | undefined): Promise<JsonObject> {
    const { clock, loadTimeoutMs } = this.#settings;
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#onFrame = () => {};
        this.#onExit = () => {};
        finish();
      };
      const fail = (error: IngotError): void => settle(() => reject(error));
      const onAbort = (): void => fail(new IngotError('interrupted', 'loading was interrupted'));
      const ended = (): void => fail(loadFailure({ exit: this.#exit ?? 'ended', lines: this.#lastLines }));
      const cancel = clock.after(loadTimeoutMs, () =>
        fail(new IngotError('timeout', `the model did not load within ${loadTimeoutMs / 1000} s`)),
      );
      if (signal?.aborted) return onAbort();
      if (this.#exit !== undefined) return ended();
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#onExit = ended;
      this.#onFrame = ({ header }) => {
        this.#remember(header);
        settle(() => resolve(header));
      };
    });
  }

  #greet(header: JsonObject): void {
    if (header.type === 'hello' && header.protocol === PROTOCOL) return;
    throw new IngotError(
      'unexpected',
      `the worker speaks frames of version ${String(header.protocol)}, not ${PROTOCOL}`,
    );
  }

  #loadFailed(header: JsonObject): IngotError {
    if (typeof header.traceback === 'string') logLines(this.#settings.log, header.traceback);
    return loadFailure({ header });
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    const reader = new FrameReader((frame) => this.#onFrame(frame));
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#broken(error);
      }
    });
    socket.on('error', () => {}); // always followed by the end of the process, which is reported
    socket.on('close', () => {
      if (!this.#stopping) this.kill();
    });
  }

  #broken(error: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(
      isIngotError(error) ? error : new IngotError('unexpected', 'the worker sent nonsense', { cause: error }),
    );
    this.kill();
  }

  #send(header: JsonObject, tensors?: PredictRequest['inputs']): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const pieces = encodeFrame(header, tensors);
    const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (bytes <= 65_536) {
      socket.write(Buffer.concat(pieces, bytes));
      return;
    }
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  #answer({ header, tensors }: Frame): void {
    const waiting = this.#waiting;
    this.#remember(header);
    if (waiting === undefined || header.id !== waiting.id) return;
    this.#waiting = undefined;
    if (header.type === 'result') {
      waiting.resolve({ outputs: tensors });
      return;
    }
    if (typeof header.traceback === 'string') logLines(this.#settings.log, header.traceback);
    waiting.reject(requestFailure(header));
  }

  #remember(header: JsonObject): void {
    if (typeof header.memoryBytes === 'number') this.#memoryBytes = header.memoryBytes;
  }

  #ended(how: string): void {
    if (this.#exit !== undefined) return;
    this.#exit = how;
    this.#socket?.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#died());
    if (!this.#stopping) this.#settings.log('error', `worker ${this.#child.pid ?? ''} ${how}`);
    this.#onExit();
  }

  #died(): IngotError {
    const how = this.#exit ?? 'is not connected';
    return new IngotError('model-failed', `the model's process ${how} while it answered`, {
      hint: 'the server log shows what the model printed last',
      retryable: false,
    });
  }

  #follow(stream: Readable | null, level: 'info' | 'warn'): void {
    if (stream === null) return;
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > KEPT_LINES) this.#lastLines.shift();
      this.#settings.log(level === 'warn' ? lineLevel(line) : level, line);
    });
  }
}

function logLines(log: Log, text: string): void {
  for (const line of text.trimEnd().split('\n')) log('error', line);
}

function listen(path: string): Promise<Server> {
  const server = createServer();
  server.maxConnections = 1;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

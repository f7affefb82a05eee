import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { freePort } from '../../../packages/core/test/servers/server.ts';
import { worldOf } from '../../world.ts';
import { frozenBinary } from '../command.ts';

/** How a registry server is started. */
export interface RegistryProcessOptions {
  /** Directory with `home`, the store and the server's files in it. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Words after `ingot up`. */
  readonly words?: readonly string[];
}

const LONGEST_START_MS = 60_000;

/** `ingot up`, which is killed and started again on one port. */
export class RegistryProcess implements AsyncDisposable {
  readonly #options: RegistryProcessOptions;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #printed = '';
  /** How often it was started. */
  starts = 0;

  private constructor(options: RegistryProcessOptions, port: number) {
    this.#options = options;
    this.#port = port;
  }

  /** Starts one on a free port and waits until it answers. */
  static async start(options: RegistryProcessOptions): Promise<RegistryProcess> {
    const made = new RegistryProcess(options, await freePort());
    await made.startAgain();
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Process id; undefined: it does not run, because it was ended or ended by itself. */
  get pid(): number | undefined {
    const child = this.#child;
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
  }

  /** The end of what it has logged. */
  get printed(): string {
    return this.#printed;
  }

  /** Starts it, after it has ended. */
  async startAgain(): Promise<void> {
    const { cwd, env, words = [] } = this.#options;
    const state = { INGOT_STATE: `${cwd}/state` };
    const line = [frozenBinary(), 'up', '--port', String(this.#port), '--json', ...words];
    const child = spawn(process.execPath, line, {
      cwd,
      env: { ...worldOf(cwd), ...state, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.starts += 1;
    const killAtExit = (): boolean => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.off('exit', killAtExit));
    child.stderr.on('data', (data) => {
      this.#printed = `${this.#printed}${data}`.slice(-16_384);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_START_MS);
    const [first] = await Promise.race([once(createInterface(child.stdout), 'line'), once(child, 'exit')]);
    clearTimeout(timer);
    if (typeof first !== 'string') throw new Error(`ingot up ended with ${String(first)}: ${this.#printed}`);
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Tells it to end, and waits until it has. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL');
  }
}

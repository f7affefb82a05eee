import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { parse } from 'node:path';
import { canonicalJson } from '@ingot/core/json';
import { type Clock, pause } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { WorkerSettings } from './worker-process.ts';

/** What keeping spares needs of a worker; {@link WorkerProcess} in earnest. */
export interface SpareWorker {
  readonly isAlive: boolean;
  readonly memoryBytes: number;
  preload(modules: readonly string[], onDone: () => void): void;
  onExit(listener: () => void): void;
  stop(): Promise<void>;
}

/** How spares are kept. */
export interface SpareOptions<Worker extends SpareWorker> {
  /** How many wait for each environment; 0: none. */
  readonly count: number;
  /** How long after it was wanted one is started, so that it does not stand in the way of what is loading. */
  readonly delayMs: number;
  readonly launch: (settings: WorkerSettings, signal: AbortSignal) => Promise<Worker>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A loaded version's part in the spares of its environment; they end with the last one. */
export interface SpareHold extends AsyncDisposable {
  /** This version's share of the memory of the spares. */
  readonly memoryBytes: number;
}

/** The spares of one interpreter with one set of variables. */
interface Shelf<Worker> {
  readonly settings: WorkerSettings;
  readonly ready: Worker[];
  readonly closing: AbortController;
  modules: readonly string[];
  holds: number;
  failures: number;
  /** When a process was last wanted, in milliseconds since the epoch. */
  wantedAt: number;
  /** From the moment a spare is wanted until it has been started. */
  starting: Promise<void> | undefined;
  /** While its process starts. */
  launching: Promise<void> | undefined;
}

const MAX_BACKOFF_MS = 300_000;

/**
 * Processes that run and have imported what the versions loaded before them imported from their environment, and wait to
 * be told what to load: a new version or a replacement then costs neither the start of Python nor those imports. No code
 * of a package runs in one before it is taken.
 */
export class SpareWorkers<Worker extends SpareWorker> {
  readonly #options: SpareOptions<Worker>;
  readonly #shelves = new Map<string, Shelf<Worker>>();

  constructor(options: SpareOptions<Worker>) {
    this.#options = options;
  }

  /**
   * Takes a spare that runs with these settings, when there is one. A package with a module or folder of the same name as
   * something preloaded gets none: it would see the environment's module instead of its own.
   */
  async take(settings: WorkerSettings, sourceDirectories: readonly string[]): Promise<Worker | undefined> {
    const shelf = this.#shelves.get(keyOf(settings));
    if (shelf === undefined) return undefined;
    shelf.wantedAt = this.#options.clock.now();
    await shelf.launching; // sooner ready than one more that would stand in its way
    if (shelf.ready.length === 0) return undefined;
    if (await overlaps(shelf.modules, sourceDirectories)) return undefined;
    const worker = shelf.ready.shift();
    if (worker === undefined) return undefined;
    worker.onExit(() => {});
    this.#refill(shelf);
    this.#options.log('info', 'the spare Python process is taken');
    return worker;
  }

  /** Says that a loaded version runs with these settings and which modules it imported; spares follow in the background. */
  hold(settings: WorkerSettings, modules: readonly string[]): SpareHold {
    const shelf = this.#shelf(settings);
    shelf.holds++;
    shelf.failures = 0;
    shelf.wantedAt = this.#options.clock.now();
    if (modules.length > 0) shelf.modules = modules;
    this.#refill(shelf);
    return {
      get memoryBytes() {
        return shelf.ready.reduce((sum, worker) => sum + worker.memoryBytes, 0) / Math.max(shelf.holds, 1);
      },
      [Symbol.asyncDispose]: () => this.#release(shelf),
    };
  }

  #shelf(settings: WorkerSettings): Shelf<Worker> {
    const key = keyOf(settings);
    const known = this.#shelves.get(key);
    if (known !== undefined) return known;
    const closing = new AbortController();
    const made: Shelf<Worker> = {
      settings,
      ready: [],
      closing,
      modules: [],
      holds: 0,
      failures: 0,
      wantedAt: 0,
      starting: undefined,
      launching: undefined,
    };
    this.#shelves.set(key, made);
    return made;
  }

  async #release(shelf: Shelf<Worker>): Promise<void> {
    shelf.holds--;
    if (shelf.holds > 0) return;
    this.#shelves.delete(keyOf(shelf.settings));
    shelf.closing.abort();
    await shelf.starting;
    await Promise.all(shelf.ready.splice(0).map((worker) => worker.stop()));
  }

  #refill(shelf: Shelf<Worker>): void {
    const { count } = this.#options;
    if (shelf.closing.signal.aborted || shelf.starting !== undefined || shelf.ready.length >= count) return;
    shelf.starting = this.#whenQuiet(shelf)
      .then(() => {
        shelf.launching = this.#start(shelf);
        return shelf.launching;
      })
      .finally(() => {
        shelf.starting = undefined;
        shelf.launching = undefined;
        this.#refill(shelf);
      });
  }

  /** Waits until no process was wanted for a while: what loads now goes first. */
  async #whenQuiet(shelf: Shelf<Worker>): Promise<void> {
    const { delayMs, clock } = this.#options;
    const { signal } = shelf.closing;
    const { failures } = shelf;
    const restMs = failures === 0 ? delayMs : Math.min(Math.max(delayMs, 1000) * 2 ** failures, MAX_BACKOFF_MS);
    let waitMs = restMs;
    while (waitMs > 0 && !signal.aborted) {
      await pause(clock, waitMs, signal);
      waitMs = shelf.wantedAt + restMs - clock.now();
    }
  }

  async #start(shelf: Shelf<Worker>): Promise<void> {
    const { signal } = shelf.closing;
    if (signal.aborted) return;
    try {
      const worker = await this.#options.launch(shelf.settings, signal);
      if (signal.aborted) return await worker.stop();
      shelf.ready.push(worker);
      worker.onExit(() => this.#lost(shelf, worker));
      worker.preload(shelf.modules, () =>
        this.#options.log('info', 'a spare Python process waits for the next version'),
      );
    } catch (error) {
      shelf.failures++;
      if (signal.aborted) return;
      this.#options.log('warn', `no spare Python process: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** A spare that ended served nobody, so nobody is told; the next one waits longer. */
  #lost(shelf: Shelf<Worker>, worker: Worker): void {
    const index = shelf.ready.indexOf(worker);
    if (index >= 0) shelf.ready.splice(index, 1);
    shelf.failures++;
    this.#refill(shelf);
  }
}

function keyOf({ python, script, environment }: WorkerSettings): string {
  return createHash('sha256').update(canonicalJson({ python, script, environment })).digest('hex');
}

async function overlaps(modules: readonly string[], directories: readonly string[]): Promise<boolean> {
  const taken = new Set(modules.map((name) => name.split('.', 1)[0]));
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => []);
    if (names.some((name) => taken.has(parse(name).name.split('.', 1)[0]))) return true;
  }
  return false;
}

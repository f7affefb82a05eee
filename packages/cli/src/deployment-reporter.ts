import { isIngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Log } from '@ingot/serve/log';
import type { ServedVersion } from '@ingot/serve/model-host';

/** How often what is served is looked at; that costs no request. */
const LOOK_MS = 1000;
const HEARTBEAT_MS = 60_000;
const LONGEST_WAIT_MS = 60_000;
/** Of what ended while the registry did not answer, so much is kept. */
const MOST_ENDED = 900;

/** What reporting needs. */
export interface ReporterOptions {
  /** Says what is served now. */
  readonly index: () => readonly ServedVersion[];
  /** Who reports. */
  readonly server: JsonObject;
  /** Sends a report to the registry. */
  readonly send: (report: JsonObject) => Promise<void>;
  readonly now: () => Date;
  readonly log: Log;
}

interface Answering {
  readonly model: string;
  readonly number: number;
  readonly manifest: string;
  readonly since: string;
  readonly sources: readonly string[];
  readonly until?: string;
}

/**
 * Tells the registry which versions this server answers with: when that changes, and once a minute. What the registry does
 * not take is kept and sent later; predictions wait for none of it.
 */
export class DeploymentReporter {
  readonly #options: ReporterOptions;
  #answering = new Map<string, Answering>();
  readonly #ended = new Map<string, Answering>();
  #told = '';
  #nextAt = 0;
  #failures = 0;
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Begins to look and to report. */
  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Looks at what is served, and reports it when it has changed or a minute has passed. */
  look(): void {
    const now = this.#options.now();
    this.#note(now);
    const state = JSON.stringify([...this.#answering.values()]);
    const isDue = now.getTime() >= this.#nextAt;
    const isNews = state !== this.#told && this.#failures === 0;
    if (this.#sending === undefined && (isDue || isNews)) this.#sending = this.#send(state, now);
  }

  /** Waits until a report that is under way has arrived, or failed. */
  async idle(): Promise<void> {
    await this.#sending;
  }

  /** Says that the server ends, once. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sending;
    this.#note(this.#options.now());
    try {
      await this.#options.send(this.#report({ isLast: true }));
    } catch {
      // The registry learns it from the server's silence.
    }
  }

  #note(now: Date): void {
    const before = this.#answering;
    this.#answering = new Map(
      this.#options.index().flatMap((served) => {
        const answering = answeringOf(served, now);
        return answering === undefined
          ? []
          : [[keyOf(answering), { ...answering, ...sourcesOf(answering, before) }] as const];
      }),
    );
    for (const [key, ended] of before)
      if (!this.#answering.has(key)) this.#ended.set(key, { ...ended, until: now.toISOString() });
    for (const key of this.#ended.keys()) if (this.#ended.size > MOST_ENDED) this.#ended.delete(key);
  }

  #report(more: JsonObject = {}): JsonObject {
    const versions = [...this.#ended.values(), ...this.#answering.values()].map((each) => ({ ...each }));
    return { server: this.#options.server, versions, ...more };
  }

  async #send(state: string, now: Date): Promise<void> {
    const { log } = this.#options;
    const ended = [...this.#ended.keys()];
    try {
      await this.#options.send(this.#report());
      for (const key of ended) this.#ended.delete(key);
      if (this.#failures > 0) log('info', 'the registry takes reports of what runs here again');
      this.#failures = 0;
      this.#told = state;
      this.#nextAt = now.getTime() + HEARTBEAT_MS;
    } catch (error) {
      if (this.#failures === 0)
        log('warn', `the registry does not take reports of what runs here, they are kept: ${messageOf(error)}`);
      this.#nextAt = now.getTime() + Math.min(LONGEST_WAIT_MS, 2000 * 2 ** this.#failures);
      this.#failures += 1;
    } finally {
      this.#sending = undefined;
    }
  }
}

function messageOf(error: unknown): string {
  if (isIngotError(error) || error instanceof Error) return error.message;
  return String(error);
}

/** Files at plain addresses are no versions of the registry. */
function answeringOf(
  { model, version, digest, sources, state, loadedAt }: ServedVersion,
  now: Date,
): Answering | undefined {
  const references = sources.filter((source) => !isPlainAddress(source));
  const isPlain = sources.length > 0 && references.length === 0;
  const number = Number(version);
  if (state !== 'READY' || isPlain || !Number.isSafeInteger(number) || number < 1) return undefined;
  return { model, number, manifest: digest, since: loadedAt ?? now.toISOString(), sources: references };
}

/** What no source names any more was named by those that did. */
function sourcesOf(answering: Answering, before: ReadonlyMap<string, Answering>): Pick<Answering, 'sources'> {
  const { sources } = answering;
  return { sources: sources.length > 0 ? sources : (before.get(keyOf(answering))?.sources ?? []) };
}

function keyOf({ model, number, manifest, since }: Answering): string {
  return `${model}:${number} ${manifest} ${since}`;
}

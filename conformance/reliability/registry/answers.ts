import { ask, type Question, type Reply } from './ask.ts';

/** What the server is going through, as far as answers are judged by it. */
export interface Weather {
  /** What is away, or was until a moment ago; undefined: all is well, and nothing may be refused. */
  readonly away: string | undefined;
}

/** No request may take longer. */
const LONGEST_MS = 30_000;
const PATIENCE_MS = 45_000;

/**
 * Judges answers by themselves: there is one, in time, and one that refuses is a clear 503: `problem+json` with its code
 * or MLflow's error on its paths, and `Retry-After`.
 */
export class Answers {
  readonly #failures: string[];
  readonly #weather: Weather;
  readonly #headers: Readonly<Record<string, string>>;
  /** How many answers there were. */
  given = 0;
  /** How many of them were a clear 503. */
  refused = 0;
  /** The longest that an answer took, in milliseconds. */
  longestMs = 0;

  constructor(failures: string[], weather: Weather, headers: Readonly<Record<string, string>>) {
    this.#failures = failures;
    this.#weather = weather;
    this.#headers = headers;
  }

  /** Asks, and judges the answer. */
  readonly ask = async <Body = Record<string, unknown>>(
    url: string,
    question: Question = {},
  ): Promise<Reply<Body> | undefined> => {
    const { away } = this.#weather;
    const began = performance.now();
    const headers = { ...this.#headers, ...question.headers };
    const reply = await ask<Body>(url, { timeoutMs: PATIENCE_MS, ...question, headers });
    const tookMs = performance.now() - began;
    const what = `${question.method ?? 'GET'} ${new URL(url).pathname} while ${away ?? this.#weather.away ?? 'all is well'}`;
    this.took(tookMs, what);
    if (reply === undefined) this.#failures.push(`${what}: no answer after ${Math.round(tookMs)} ms`);
    else if (reply.status >= 500) this.#refused(reply, what, new URL(url).pathname);
    return reply;
  };

  /** Asks for a file: its bytes, `cut` when it ended before its end, or undefined when it was refused. */
  async file(url: string): Promise<Uint8Array | 'cut' | undefined> {
    let response: Response;
    const path = new URL(url).pathname;
    try {
      response = await fetch(url, { headers: this.#headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (error) {
      this.#failures.push(`GET ${path} while ${this.#weather.away ?? 'all is well'}: no answer: ${String(error)}`);
      return undefined;
    }
    const { status, headers } = response;
    if (status !== 200) {
      const body: unknown = await response.json().catch(() => undefined);
      if (status >= 500) this.#refused({ status, headers, body }, `GET ${path}`, path);
      else this.#failures.push(`GET ${path}: ${status} ${JSON.stringify(body)}`);
      return undefined;
    }
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch {
      if (this.#weather.away === undefined) this.#failures.push(`GET ${path} was cut while all is well`);
      return 'cut';
    }
  }

  /** Counts an answer that somebody else asked for. */
  took(ms: number, what: string): void {
    this.given += 1;
    this.longestMs = Math.max(this.longestMs, ms);
    if (ms > LONGEST_MS) this.#failures.push(`${what}: took ${Math.round(ms)} ms`);
  }

  #refused({ status, headers, body }: Reply<unknown>, what: string, path: string): void {
    this.refused += 1;
    const told = JSON.stringify(body);
    if (status !== 503) this.#failures.push(`${what}: ${status} ${told}`);
    if (headers.get('retry-after') === null) this.#failures.push(`${what}: ${status} without Retry-After: ${told}`);
    const type = headers.get('content-type') ?? '';
    const isMlflow = /^\/api\/[23]\.0\//.test(path);
    const isClear = isMlflow
      ? /"error_code":"TEMPORARILY_UNAVAILABLE"/.test(told)
      : type.startsWith('application/problem+json') && /"code":"(?:unavailable|store-not-found)"/.test(told);
    if (!isClear) this.#failures.push(`${what}: ${status} is not clear: ${type} ${told}`);
    if (this.#weather.away === undefined) this.#failures.push(`${what}: ${status} ${told}`);
  }
}

import { errorOfAnswer, ModelServerError } from './errors.ts';

/** How requests are made. */
export interface RequestOptions {
  /** Sent with every request, for example `{ authorization: 'Bearer …' }`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How often a request is repeated when the server says that it may succeed then, or does not answer. Default: 2. */
  readonly retries?: number;
  /** Longest time for one attempt, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** Waits between attempts. Default: a timer. */
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Between 0 and 1; spreads the waits of many clients. Default: `Math.random`. */
  readonly random?: () => number;
}

/** Options of one question. */
export interface AskOptions {
  readonly signal?: AbortSignal;
}

/** One request. */
export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One answer that is no error. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Asks, and asks again while the server says that it may succeed then. Throws {@link ModelServerError}. */
export async function attempts(
  url: string,
  init: Question,
  signal: AbortSignal | undefined,
  options: RequestOptions,
): Promise<Answer> {
  const retries = options.retries ?? 2;
  for (let attempt = 0; ; attempt++) {
    try {
      return await oneAttempt(url, init, signal, options);
    } catch (error) {
      if (!(error instanceof ModelServerError) || !error.retryable || attempt >= retries) throw error;
      const jitter = 0.5 + (options.random ?? Math.random)();
      await (options.wait ?? timer)(100 * 2 ** attempt * jitter, signal);
    }
  }
}

async function oneAttempt(
  url: string,
  init: Question,
  signal: AbortSignal | undefined,
  options: RequestOptions,
): Promise<Answer> {
  const timeout = new AbortController();
  const stop = (): void => timeout.abort(signal?.reason);
  const clock = setTimeout(() => timeout.abort(), options.timeoutMs ?? 30_000);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const headers = { ...options.headers, ...init.headers };
    const response = await (options.fetch ?? fetch)(url, { ...init, headers, signal: timeout.signal });
    const body = await readBody(response);
    if (!response.ok) throw errorOfAnswer(response.status, body);
    return { status: response.status, body };
  } catch (error) {
    if (error instanceof ModelServerError) throw error;
    if (signal?.aborted) throw new ModelServerError('interrupted', 'the request was given up', { cause: error });
    if (timeout.signal.aborted)
      throw new ModelServerError('timeout', `no answer from ${url} in time`, { cause: error });
    throw new ModelServerError('unreachable', `no answer from ${url}`, { cause: error, retryable: true });
  } finally {
    clearTimeout(clock);
    signal?.removeEventListener('abort', stop);
  }
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (!response.ok) return undefined;
    throw new ModelServerError('invalid-response', 'the answer is not JSON; is this the address of a server?', {
      status: response.status,
      cause,
    });
  }
}

function timer(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(clock);
      reject(new ModelServerError('interrupted', 'the request was given up'));
    };
    const clock = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

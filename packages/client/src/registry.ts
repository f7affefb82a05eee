/**
 * A *registry* says which version of a model a reference means, and what there is: models, versions, aliases. Asks a
 * registry server (`ingot up`); predictions are the model server's ({@link ./connect.ts}).
 */

import { isRecord, ModelServerError } from './errors.ts';
import { type AskOptions, attempts, type Question, type RequestOptions } from './request.ts';

/** What is longer, in characters, goes as a body: proxies refuse addresses of some thousand. */
const LONGEST_QUERY = 4000;

type Answer = Readonly<Record<string, unknown>>;

/** Options of {@link connectRegistry}. */
export interface RegistryOptions extends RequestOptions {
  /** Proves who asks; sent to this server only. Default: nobody does. */
  readonly token?: string;
}

/** Which version a reference means. */
export interface ResolvedVersion {
  readonly model: string;
  readonly number: number;
  readonly label?: string;
  /** Names the exact package. */
  readonly manifest: string;
}

/** A version as lists show it. */
export interface VersionSummary {
  readonly number: number;
  readonly manifest: string;
  readonly label?: string;
  readonly status: 'active' | 'retired' | 'deleted';
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly flavor: string;
  readonly sizeBytes: number;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly stage?: string;
}

/** A version that a search has found. */
export interface FoundVersion extends VersionSummary {
  readonly model: string;
  readonly aliases?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
}

/** Options of a search. */
export interface SearchOptions extends AskOptions {
  /** `metrics.auc desc`; default: the server's order. */
  readonly sort?: string;
}

/** A connection to a registry server. */
export interface RegistryClient {
  /** Says which version a reference means: `churn@production`, `churn:7`, `team/churn`. */
  resolve(reference: string, options?: AskOptions): Promise<ResolvedVersion>;
  /** Finds versions over all models: `metrics.auc > 0.9 and tag.team = 'growth'`. Pages by itself. */
  search(filter: string, options?: SearchOptions): AsyncIterable<FoundVersion>;
  /** The versions of a model, newest first. Pages by itself. */
  versions(model: string, options?: AskOptions): AsyncIterable<VersionSummary>;
  /** Which version each alias of a model names. */
  aliases(model: string, options?: AskOptions): Promise<Readonly<Record<string, number>>>;
}

/**
 * Connects to a registry server. Nothing is asked yet.
 *
 * @example
 * const registry = connectRegistry('https://models.example.com', { token });
 * const { number } = await registry.resolve('churn@production');
 */
export function connectRegistry(url: string, options: RegistryOptions = {}): RegistryClient {
  const { token, headers, ...rest } = options;
  const base = `${url.replace(/\/+$/, '')}/api/v1`;
  const authorized = token === undefined ? { ...headers } : { ...headers, authorization: `Bearer ${token}` };
  const get = async (path: string, signal: AbortSignal | undefined, init: Question = {}): Promise<Answer> => {
    const { body, status } = await attempts(base + path, init, signal, { ...rest, headers: authorized });
    if (isRecord(body)) return body;
    throw unreadable(status);
  };

  async function* pages<T>(
    pageAt: (cursor: string | undefined) => Promise<Answer>,
    isItem: (item: unknown) => item is T,
  ): AsyncGenerator<T> {
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const page = await pageAt(cursor === '' ? undefined : cursor);
      if (!Array.isArray(page.items) || !page.items.every(isItem)) throw unreadable(200);
      yield* page.items;
      cursor = typeof page.next === 'string' ? page.next : undefined;
    }
  }

  const below =
    (path: string, { signal }: AskOptions) =>
    (cursor: string | undefined) =>
      get(path + queryOf({ cursor }), signal);

  return {
    async resolve(reference, { signal } = {}) {
      const body: unknown = await get(`/resolve?ref=${encodeURIComponent(reference)}`, signal);
      if (isResolved(body)) return body;
      throw unreadable(200);
    },
    search(filter, { sort, ...call } = {}) {
      const query = queryOf({ filter, sort });
      if (query.length <= LONGEST_QUERY) return pages(below(`/versions?limit=100${query}`, call), isFound);
      const method = 'POST';
      const headers = { 'content-type': 'application/json' };
      return pages((cursor) => {
        const body = JSON.stringify({ limit: 100, filter, sort, cursor });
        return get('/versions/search', call.signal, { method, headers, body });
      }, isFound);
    },
    versions: (model, call = {}) =>
      pages(below(`/models/${encodeURIComponent(model)}/versions?limit=100`, call), isVersion),
    async aliases(model, { signal } = {}) {
      const { aliases } = await get(`/models/${encodeURIComponent(model)}/aliases`, signal);
      if (isNumbers(aliases)) return aliases;
      throw unreadable(200);
    },
  };
}

function queryOf(parts: Readonly<Record<string, string | undefined>>): string {
  const there = Object.entries(parts).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  return there.map(({ name, value }) => `&${name}=${encodeURIComponent(value)}`).join('');
}

function isResolved(body: unknown): body is ResolvedVersion {
  return isRecord(body) && typeof body.model === 'string' && isNamed(body);
}

function isVersion(item: unknown): item is VersionSummary {
  return isRecord(item) && isNamed(item) && typeof item.status === 'string';
}

function isFound(item: unknown): item is FoundVersion {
  return isVersion(item) && 'model' in item && typeof item.model === 'string';
}

function isNamed(item: Readonly<Record<string, unknown>>): boolean {
  return typeof item.number === 'number' && typeof item.manifest === 'string';
}

function isNumbers(value: unknown): value is Readonly<Record<string, number>> {
  return isRecord(value) && Object.values(value).every((entry) => typeof entry === 'number');
}

function unreadable(status: number): ModelServerError {
  return new ModelServerError('invalid-response', 'the answer is not that of a registry server; is this its address?', {
    status,
  });
}

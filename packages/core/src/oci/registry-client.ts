/**
 * Requests to one repository of a registry: let in as the registry asks, sent on where it redirects, and never with its
 * credentials to another host.
 */

import { isLoopback } from '../blob/http/address.ts';
import { HttpClient, type HttpReply, MAX_CONNECTIONS, REDIRECTS } from '../blob/http/client.ts';
import type { BlobBody } from '../blob/blob-store.ts';
import { Patience, type RetryOptions } from '../blob/layers/patience.ts';
import { agentsFor } from '../blob/remote/agents.ts';
import { silenceMs } from '../blob/silence.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { originOf } from './registry-address.ts';
import { type FindCredential, loginHint, RegistryAuth } from './registry-auth.ts';
import { registryFailure } from './registry-failures.ts';

/** What opening a repository depends on. */
export interface RegistryOptions {
  /** `INGOT_STORAGE_TIMEOUT`, `NODE_EXTRA_CA_CERTS`, proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Finds what lets in. Default: nothing is known. */
  readonly credential?: FindCredential;
  /** Speaks http with any host, not only with this machine. Default: false. */
  readonly insecure?: boolean;
  /** How calls are repeated. */
  readonly retry?: RetryOptions;
  /** Default: the system clock. */
  readonly now?: () => Date;
}

/** One request. */
export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/v2/NAME/`, or a whole address that the registry gave. */
  readonly at: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BlobBody;
  /** What of the repository it is about, for messages: `the blob sha256:…`. */
  readonly what: string;
  /** Whether it changes something. */
  readonly writes?: boolean;
  /** Another repository whose blobs are lent. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MAX_HOPS = 5;
const MAX_TOKEN_BYTES = 1024 * 1024;

/** Sends requests to one repository. */
export class RegistryClient {
  readonly host: string;
  readonly name: string;
  readonly origin: string;
  /** Shared by all calls, so that a registry that is away is not waited for each time. */
  readonly patience: Patience;
  readonly #options: RegistryOptions;
  readonly #auth: RegistryAuth;
  readonly #clients = new Map<string, Promise<HttpClient>>();

  constructor(host: string, name: string, options: RegistryOptions) {
    this.host = host;
    this.name = name;
    this.origin = originOf(host, options.insecure);
    this.patience = new Patience(options.retry ?? {});
    this.#options = options;
    this.#auth = new RegistryAuth({
      host,
      origin: this.origin,
      find: options.credential ?? (async () => undefined),
      ask: (url, call) => this.#askTokenServer(url, call),
      ...(options.now === undefined ? {} : { now: options.now }),
    });
  }

  /** For messages: `registry.example.com/team/churn`. */
  get repository(): string {
    return `${this.host}/${this.name}`;
  }

  /**
   * Sends one request and gives its reply, whatever it says but that the caller must be let in. A token that has ended is
   * renewed once.
   * @throws IngotError `unauthenticated`, `unavailable`, `refused`, `interrupted`; failures of the body as they are.
   */
  async send(request: RegistryRequest): Promise<HttpReply> {
    const url = this.urlOf(request.at);
    if (url.origin !== this.origin) return this.#follow(request, url, undefined);
    const scope = this.#scopeOf(request);
    const known = this.#auth.headerFor(scope);
    const reply = await this.#follow(request, url, known);
    if (reply.status !== 401) return reply;
    if (known !== undefined) this.#auth.forget(scope);
    const header = await this.#auth.answer(reply, scope, request.signal);
    if (header === undefined) throw await this.failure(reply, request);
    await reply.discard();
    const again = await this.#follow(request, url, header);
    if (again.status !== 401) return again;
    this.#auth.forget(scope);
    throw await this.failure(again, request);
  }

  /** As {@link send}, and refuses every status but those that are expected. */
  async expect(request: RegistryRequest, ...statuses: readonly number[]): Promise<HttpReply> {
    const reply = await this.send(request);
    if (statuses.includes(reply.status)) return reply;
    throw await this.failure(reply, request);
  }

  /** The error of an answer that was not expected. */
  failure(reply: HttpReply, { what, writes }: RegistryRequest): Promise<IngotError> {
    const { host, repository } = this;
    return registryFailure(reply, { host, repository, what, operation: writes === true ? 'oci.push' : 'oci.pull' });
  }

  /** Repeats work while the registry is away or busy. */
  repeat<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.patience.repeat(work, signal);
  }

  /** The address of a request. */
  urlOf(at: string | URL): URL {
    return typeof at === 'string' ? new URL(`/v2/${this.name}/${at}`, this.origin) : at;
  }

  async #follow(request: RegistryRequest, first: URL, authorization: string | undefined): Promise<HttpReply> {
    let url = first;
    for (let hops = 0; hops <= MAX_HOPS; hops += 1) {
      const mayKnow = url.origin === first.origin;
      const reply = await this.#sendTo(url, request, mayKnow ? authorization : undefined);
      const { location } = reply.headers;
      const isFollowed = REDIRECTS.includes(reply.status) && location !== undefined && request.body === undefined;
      if (!isFollowed || !['GET', 'HEAD'].includes(request.method)) return reply;
      await reply.discard();
      url = this.#redirected(url, location);
    }
    throw new IngotError('refused', `${this.repository} redirects in circles`, { operation: 'oci.pull' });
  }

  // Contents are checked by their digests, whoever hands them out; but nobody is to see what was asked for.
  #redirected(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    const isSecure = to?.protocol === 'https:' || (to?.protocol === 'http:' && !this.origin.startsWith('https:'));
    if (to !== undefined && (isSecure || (to.protocol === 'http:' && isLoopback(to.hostname)))) return to;
    throw new IngotError('refused', `${this.repository} redirects to an address without TLS`, {
      operation: 'oci.pull',
      details: { repository: this.repository, target: to === undefined ? location.slice(0, 100) : to.origin },
    });
  }

  async #sendTo(url: URL, request: RegistryRequest, authorization: string | undefined): Promise<HttpReply> {
    const { method, headers, body, what, writes, signal } = request;
    const client = await this.#clientOf(url);
    try {
      return await client.send({
        method,
        path: `${url.pathname}${url.search}`,
        headers: { ...lengthOf(request), ...headers, ...(authorization === undefined ? {} : { authorization }) },
        operation: writes === true ? 'oci.push' : 'oci.pull',
        key: what,
        signal,
        givesRedirects: true,
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      throw this.#worded(error);
    }
  }

  // What stands in a network's failure is the path of the distribution API, which says nothing to who wrote an address.
  #worded(error: unknown): unknown {
    if (!isIngotError(error, 'unavailable') || error.details.system === undefined) return error;
    const system = String(error.details.system);
    const isPlain = system === 'EPROTO' || /wrong version number/i.test(error.message);
    return new IngotError('unavailable', `${this.repository}: ${this.origin} does not answer (${system})`, {
      operation: error.operation ?? 'oci.pull',
      retryable: error.retryable,
      hint: isPlain
        ? '--insecure   (where the registry has no TLS)'
        : (error.hint ?? 'is the host right, and is the registry up?'),
      details: error.details,
      cause: error,
    });
  }

  #clientOf(url: URL): Promise<HttpClient> {
    const { origin } = url;
    const known = this.#clients.get(origin);
    if (known !== undefined) return known;
    const { env } = this.#options;
    const made = agentsFor({ endpoint: origin, env }, MAX_CONNECTIONS).then(
      (agents) => new HttpClient({ origin, agents, silenceMs: silenceMs(env), credentialsHint: loginHint(this.host) }),
    );
    this.#clients.set(origin, made);
    return made;
  }

  #scopeOf({ writes, from }: RegistryRequest): string {
    const own = `repository:${this.name}:${writes === true ? 'pull,push' : 'pull'}`;
    return from === undefined ? own : `${own} repository:${from}:pull`;
  }

  async #askTokenServer(
    url: URL,
    call: {
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { body, signal } = call;
    const form = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body?.length ?? 0) };
    const client = await this.#clientOf(url);
    const reply = await client.send({
      method: body === undefined ? 'GET' : 'POST',
      path: `${url.pathname}${url.search}`,
      headers: { accept: 'application/json', ...call.headers, ...(body === undefined ? {} : form) },
      operation: 'oci.login',
      signal,
      ...(body === undefined ? {} : { payload: body }),
    });
    return { status: reply.status, text: await reply.text(MAX_TOKEN_BYTES) };
  }
}

/** A request that may have a body and has none says so. */
function lengthOf({ method, body }: RegistryRequest): Readonly<Record<string, string>> {
  return body === undefined && ['PUT', 'POST', 'PATCH'].includes(method) ? { 'content-length': '0' } : {};
}

import { randomBytes } from 'node:crypto';
import { isLoopback, parseHttpAddress, type HttpAddress } from '../../blob/http/address.ts';
import { HttpClient, type HttpReply } from '../../blob/http/client.ts';
import { Patience, type RetryOptions } from '../../blob/layers/patience.ts';
import { agentsFor } from '../../blob/remote/agents.ts';
import { silenceMs } from '../../blob/silence.ts';
import { IngotError, isIngotError } from '../../errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../json.ts';
import { errorOfProblem } from '../../problem.ts';

/** What opening a server depends on. */
export interface ServerOptions {
  /** `INGOT_STORAGE_TIMEOUT`, `NODE_EXTRA_CA_CERTS`, proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Value of the `Authorization` header; sent to this server only. Default: none. */
  readonly authorization?: string | undefined;
  /** Sends credentials also without TLS to another machine. Default: that is refused. */
  readonly allowPlainHttp?: boolean;
  /** Who writes, as the history shows it where the server has no accounts: `ana@laptop`. Default: nobody is named. */
  readonly actor?: string;
  /** How calls are repeated. */
  readonly retry?: RetryOptions;
}

/** One question to the server. */
export interface Question {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api/v1`, percent-encoded: `/models/team%2Fchurn`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** What the server answered. */
export interface Answer {
  readonly status: number;
  /** Undefined for an answer without a body. */
  readonly body: JsonObject | undefined;
  readonly headers: HttpReply['headers'];
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_CONNECTIONS = 16;
const REPEATABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const LOGIN_HINT = 'ingot login URL, or set INGOT_TOKEN';

/** Asks a registry server over its native API. Questions that may be repeated are, writes with one `Idempotency-Key`. */
export class ServerClient {
  /** Address of the server, without secrets. */
  readonly address: string;
  readonly #client: HttpClient;
  readonly #place: HttpAddress;
  readonly #patience: Patience;
  readonly #actor: string | undefined;

  constructor(client: HttpClient, place: HttpAddress, { retry = {}, actor }: Pick<ServerOptions, 'retry' | 'actor'>) {
    this.address = place.shown;
    this.#client = client;
    this.#place = place;
    this.#patience = new Patience(retry);
    this.#actor = actor;
  }

  /**
   * Asks, and repeats while the server is away or busy.
   * @throws IngotError what the server says is wrong, `unavailable`, `overloaded`, `interrupted`; `forbidden` (certificate).
   */
  async ask(question: Question): Promise<Answer> {
    const isWrite = question.method !== 'GET';
    const headers = {
      accept: 'application/json',
      ...(isWrite && { 'idempotency-key': randomBytes(16).toString('hex') }),
      ...(isWrite && this.#actor !== undefined && { 'ingot-actor': encodeURIComponent(this.#actor) }),
      ...question.headers,
    };
    return await this.#patience.repeat(() => this.#once({ ...question, headers }), question.signal);
  }

  /** Opens a stream of server-sent events; not repeated. */
  async stream(question: Pick<Question, 'path' | 'query' | 'headers' | 'signal'>): Promise<HttpReply> {
    const headers = { accept: 'text/event-stream', 'accept-encoding': 'identity', ...question.headers };
    const path = this.#pathOf(question);
    const reply = await this.#client.send({ ...question, method: 'GET', path, headers, operation: 'registry.events' });
    if (reply.status === 200) return reply;
    throw this.#errorOf(reply, await reply.text(MAX_ANSWER_BYTES), path);
  }

  async #once(question: Question): Promise<Answer> {
    const { method, body, signal } = question;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const path = this.#pathOf(question);
    const typed: Question['headers'] =
      payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) };
    const reply = await this.#client.send({
      method,
      path,
      headers: { ...typed, ...question.headers },
      operation: method === 'GET' ? 'registry.read' : 'registry.write',
      signal,
      ...(payload !== undefined && { payload }),
    });
    const text = await reply.text(MAX_ANSWER_BYTES);
    if (reply.status < 200 || reply.status > 299) throw this.#errorOf(reply, text, path);
    return {
      status: reply.status,
      body: text === '' ? undefined : this.#documentOf(text, path),
      headers: reply.headers,
    };
  }

  #pathOf({ path, query = {} }: Pick<Question, 'path' | 'query'>): string {
    const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
    const search = given.length === 0 ? '' : `?${new URLSearchParams(Object.fromEntries(given))}`;
    return `${this.#place.root}api/v1${path}${search}`;
  }

  #documentOf(text: string, path: string): JsonObject {
    const value = parseJson(text);
    if (isJsonObject(value)) return value;
    throw new IngotError('unavailable', `${this.#shown(path)} does not answer as a registry server does`, {
      retryable: false,
      hint: 'INGOT_REGISTRY is the address at which `ingot up` says it is',
    });
  }

  #errorOf(reply: HttpReply, text: string, path: string): IngotError {
    const error = errorOfProblem(reply.status, text, this.#shown(path));
    const { code, message, nearest, details } = error;
    const seconds = Number(reply.headers['retry-after']);
    const wait = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
    const hint = this.#named(error.hint ?? (code === 'unauthenticated' ? LOGIN_HINT : undefined));
    return new IngotError(code, message, {
      retryable: REPEATABLE.has(reply.status),
      details: wait === undefined ? details : { ...details, retryAfterMs: wait },
      ...(hint !== undefined && { hint }),
      ...(nearest !== undefined && { nearest }),
    });
  }

  /** Who works with two servers is to know which one it is that asks. */
  #named(hint: string | undefined): string | undefined {
    return hint?.replace(/\bingot login URL\b/, () => `ingot login ${this.#place.origin}`);
  }

  #shown(path: string): string {
    return `${this.#place.origin}${path.replace(/\?.*/s, '')}`;
  }
}

/**
 * Opens a registry server; nothing is sent yet.
 * @throws IngotError `usage` for a malformed address, `refused` when credentials would go to another machine without TLS.
 */
export async function openServerClient(address: string, options: ServerOptions): Promise<ServerClient> {
  const place = parseHttpAddress(address);
  const { env, authorization } = options;
  if (authorization !== undefined && !place.isSecure && !isLoopback(place.host) && options.allowPlainHttp !== true)
    throw new IngotError('refused', `${place.shown} has no TLS: the token would go over the network for all to read`, {
      operation: 'open',
      hint: `INGOT_REGISTRY=https://…   (or INGOT_ALLOW_HTTP=1, where the network is your own)`,
    });
  const client = new HttpClient({
    origin: place.origin,
    authorization,
    credentialsHint: LOGIN_HINT,
    agents: await agentsFor({ endpoint: place.origin, env }, MAX_CONNECTIONS),
    silenceMs: silenceMs(env),
  });
  return new ServerClient(client, place, options);
}

/**
 * Says whether a registry server answers at an address, or something else does (a plain directory of a store).
 * @throws IngotError when nothing answers, or not to this caller.
 */
export async function isRegistryServer(client: ServerClient, signal?: AbortSignal): Promise<boolean> {
  try {
    const { body } = await client.ask({ method: 'GET', path: '', signal });
    return body?.server === 'ingot';
  } catch (error) {
    // Whatever says "no such page" or sends another page is a web server; a silent one is not known to be either.
    if (isIngotError(error) && !error.retryable && SOMETHING_ELSE.has(error.code)) return false;
    throw error;
  }
}

const SOMETHING_ELSE: ReadonlySet<string> = new Set([
  'not-found',
  'invalid-request',
  'refused',
  'unavailable',
  'forbidden',
  'content-not-found',
]);

/** An MLflow server, asked what its names mean and where their files are. Nothing is written to it. */

import { authorizationOf, parseHttpAddress } from '../blob/http/address.ts';
import { HttpClient, MAX_CONNECTIONS } from '../blob/http/client.ts';
import { openRange } from '../blob/http/open-range.ts';
import { agentsFor } from '../blob/remote/agents.ts';
import { silenceMs } from '../blob/silence.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';

/** Variables that say who asks, as MLflow's own client reads them. */
export type MlflowEnv = Readonly<Record<string, string | undefined>>;

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A file or directory in a listing of artifacts. */
export interface MlflowEntry {
  readonly name: string;
  /** Undefined: a directory. */
  readonly sizeBytes: number | undefined;
}

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const ARTIFACTS = 'api/2.0/mlflow-artifacts/artifacts';

/** Asks one MLflow server. */
export class MlflowServer {
  /** Without secrets. */
  readonly address: string;
  readonly #client: HttpClient;
  readonly #root: string;

  private constructor(client: HttpClient, root: string, address: string) {
    this.#client = client;
    this.#root = root;
    this.address = address;
  }

  /** Makes a client for a tracking address; no request is sent. Throws `usage`. */
  static async open(trackingUri: string, env: MlflowEnv): Promise<MlflowServer> {
    const place = parseHttpAddress(trackingUri);
    const user = env.MLFLOW_TRACKING_USERNAME ?? place.user;
    const password = env.MLFLOW_TRACKING_PASSWORD ?? place.password;
    // A user and password win over a token, as they do in MLflow's client.
    const authorization = authorizationOf(user, password, user === undefined ? env.MLFLOW_TRACKING_TOKEN : undefined);
    const client = new HttpClient({
      origin: place.origin,
      authorization,
      credentialsHint: 'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN',
      agents: await agentsFor({ endpoint: place.origin, env }, MAX_CONNECTIONS),
      silenceMs: silenceMs(env),
    });
    return new MlflowServer(
      client,
      place.root,
      place.shown.replace(/^[a-z]+:\/\/[^@/]*@/, (login) => login.replace(/\/\/.*/, '//')),
    );
  }

  /** Calls the API: `get('registered-models/alias', { name, alias })`. Throws `path-not-found`, `forbidden`, `unavailable`. */
  async get(route: string, query: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<JsonObject> {
    return await this.#ask('GET', `${route}?${new URLSearchParams(query)}`, undefined, options);
  }

  /** As {@link get}, with a body. */
  async post(route: string, body: JsonObject, options: CallOptions = {}): Promise<JsonObject> {
    return await this.#ask('POST', route, JSON.stringify(body), options);
  }

  /** Lists a directory of proxied artifacts; nothing for a file, and for what is not there. */
  async list(path: string, options: CallOptions = {}): Promise<readonly MlflowEntry[]> {
    const answer = await this.#json(`${this.#root}${ARTIFACTS}?${new URLSearchParams({ path })}`, {}, options);
    const files: JsonValue = answer.files ?? [];
    if (!Array.isArray(files)) throw this.#malformed('a listing of artifacts');
    return files.map((file: JsonValue) => {
      if (!isJsonObject(file) || typeof file.path !== 'string') throw this.#malformed('a listing of artifacts');
      const name = file.path.split('/').at(-1) ?? '';
      return { name, sizeBytes: file.is_dir === true ? undefined : Number(file.file_size ?? 0) };
    });
  }

  /** Streams a proxied artifact from a byte on. Throws `path-not-found`. */
  async *read(path: string, start: number, { signal }: CallOptions = {}): AsyncGenerator<Uint8Array> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const opened = await openRange(this.#client, {
      path: `${this.#root}${ARTIFACTS}/${encoded}`,
      key: path,
      range: start > 0 ? { start } : undefined,
      signal,
    });
    if (typeof opened === 'string')
      throw new IngotError('path-not-found', `${this.address} has no artifact ${path}`, { operation: 'source' });
    yield* opened;
  }

  async #ask(method: string, route: string, body: string | undefined, options: CallOptions): Promise<JsonObject> {
    const payload =
      body === undefined
        ? {}
        : {
            payload: body,
            headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
          };
    return await this.#json(`${this.#root}api/2.0/mlflow/${route}`, { method, ...payload }, options);
  }

  async #json(
    path: string,
    request: {
      readonly method?: string;
      readonly payload?: string;
      readonly headers?: Readonly<Record<string, string>>;
    },
    { signal }: CallOptions,
  ): Promise<JsonObject> {
    const reply = await this.#client.send({ method: 'GET', path, operation: 'source', signal, ...request });
    if (reply.status !== 200 && reply.status !== 400 && reply.status !== 404) {
      await reply.discard();
      throw reply.error();
    }
    const answer = parsed(await reply.text(MAX_ANSWER_BYTES));
    if (reply.status === 200 && answer !== undefined) return answer;
    if (answer === undefined) throw this.#malformed(`its answer with status ${reply.status}`);
    throw new IngotError('path-not-found', `${this.address} says: ${String(answer.message ?? answer.error_code)}`, {
      operation: 'source',
    });
  }

  #malformed(what: string): IngotError {
    return new IngotError('unavailable', `${this.address} does not answer as an MLflow server does: ${what}`, {
      operation: 'source',
      retryable: false,
      hint: 'MLFLOW_TRACKING_URI names the server, not a page of it',
    });
  }
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    // A page of a proxy, or of something else altogether.
    return undefined;
  }
}

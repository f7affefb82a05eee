import { IngotError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../json.ts';
import { formatReference, type ModelName, type Reference } from '../../ref.ts';
import { checkMetrics } from '../log-writer.ts';
import type { Registry, RegistryOptions } from '../registry.ts';
import {
  type Answer,
  openServerClient,
  type Question,
  type ServerClient,
  type ServerOptions,
} from './server-client.ts';
import {
  type PageRead,
  readApproval,
  readEnsured,
  readHistoryEntry,
  readModel,
  readMove,
  readNumber,
  readPage,
  readPublished,
  readResolved,
  readSlim,
  readVersion,
} from './wire.ts';

const PAGE = 1000;

/**
 * Opens the registry of a server; nothing is sent yet.
 * @throws IngotError `usage` for a malformed address, `refused` when credentials would go out without TLS.
 * @example
 * const registry = await openHttpRegistry('https://models.example.com', { env: process.env, authorization: 'Bearer …' });
 * const { number } = await registry.resolve(parseReference('churn@production'));
 */
export async function openHttpRegistry(address: string, options: ServerOptions): Promise<Registry> {
  return createHttpRegistry(await openServerClient(address, options));
}

/** Makes the registry of a server out of a client that is open. What this client wrote, it also reads, whichever replica answers. */
export function createHttpRegistry(client: ServerClient): Registry {
  const asker = new Asker(client);
  return { ...reading(asker), ...models(asker), ...versions(asker), ...aliases(asker), ...governance(asker) };
}

function reading(asker: Asker): Pick<Registry, 'resolve' | 'models' | 'model' | 'version' | 'history' | 'log'> {
  return {
    async resolve(reference, options = {}) {
      const query = { ref: formatReference(reference) };
      return readResolved(await asker.get({ path: '/resolve', query, name: reference.name }, options), reference);
    },
    models: (options = {}) => asker.pages('/models', readModel, options),
    async model(name, options = {}) {
      const summary = readModel(await asker.get({ path: modelPath(name), name }, options));
      const all = [];
      for await (const version of asker.pages(`${modelPath(name)}/versions`, readSlim, options, name))
        all.push(version);
      return { ...summary, all };
    },
    async version(reference, options = {}) {
      const { name } = reference;
      return readVersion(await asker.get({ path: versionPath(reference), name }, options));
    },
    history: (name, options = {}) => asker.pages(`${modelPath(name)}/history`, readHistoryEntry, options, name),
    log: (name, options = {}) => asker.pages(`${modelPath(name)}/log`, (document) => document, options, name),
  };
}

function models(asker: Asker): Pick<Registry, 'ensureModel' | 'updateModel' | 'deleteModel' | 'rename'> {
  return {
    async ensureModel(name, options = {}) {
      return readEnsured(await asker.write({ method: 'POST', path: '/models', body: { name }, name }, options));
    },
    async updateModel(name, changes, options = {}) {
      const body = documentOf({ ...changes, reason: options.reason });
      return readModel(await asker.write({ method: 'PATCH', path: modelPath(name), body, name }, options));
    },
    async deleteModel(name, options = {}) {
      const query = { reason: options.reason };
      await asker.write({ method: 'DELETE', path: modelPath(name), query, name }, options);
      asker.forget(name);
    },
    async rename(name, newName, options = {}) {
      const body = documentOf({ name: newName, reason: options.reason });
      await asker.write({ method: 'POST', path: `${modelPath(name)}/rename`, body, name }, options);
      asker.forget(name);
    },
  };
}

function versions(asker: Asker): Pick<Registry, 'publish' | 'update' | 'setStage' | 'retire' | 'deleteVersion'> {
  return {
    async publish(name, draft, options = {}) {
      checkMetrics(draft.metrics);
      const { signal: _, actor: __, expectedSeq: ___, ...said } = options;
      const body = documentOf({ draft, ...said });
      const question = { method: 'POST', path: `${modelPath(name)}/versions`, body, name } as const;
      return readPublished(await asker.write(question, options));
    },
    async update(reference, changes, options = {}) {
      checkMetrics(changes.metrics);
      const body = documentOf({ ...changes, reason: options.reason });
      return readVersion(await asker.write({ method: 'PATCH', ...versionOf(reference), body }, options));
    },
    async setStage(reference, stage, options = {}) {
      const { path, name } = versionOf(reference);
      const body = documentOf({ stage, reason: options.reason });
      return readVersion(await asker.write({ method: 'PUT', path: `${path}/stage`, name, body }, options));
    },
    async retire(reference, options = {}) {
      const { path, name } = versionOf(reference);
      const body = documentOf({ reason: options.reason });
      return readVersion(await asker.write({ method: 'POST', path: `${path}/retire`, name, body }, options));
    },
    async deleteVersion(reference, options = {}) {
      const query = { reason: options.reason };
      await asker.write({ method: 'DELETE', ...versionOf(reference), query }, options);
    },
  };
}

function aliases(asker: Asker): Pick<Registry, 'setAlias' | 'removeAlias' | 'previousAliasTarget'> {
  return {
    async setAlias(name, alias, number, options = {}) {
      const body = documentOf({ number, expected: options.expected, reason: options.reason });
      return readMove(await asker.write({ method: 'PUT', path: aliasPath(name, alias), body, name }, options));
    },
    async removeAlias(name, alias, options = {}) {
      const { expected, reason } = options;
      const query = { expected: expected === undefined ? undefined : String(expected), reason };
      return readMove(await asker.write({ method: 'DELETE', path: aliasPath(name, alias), query, name }, options));
    },
    async previousAliasTarget(name, alias, options = {}) {
      return readNumber(await asker.get({ path: `${aliasPath(name, alias)}/previous`, name }, options));
    },
  };
}

function governance(asker: Asker): Pick<Registry, 'approve' | 'withdrawApproval' | 'setHold' | 'releaseHold'> {
  return {
    async approve(reference, purpose, options = {}) {
      const { path, name } = versionOf(reference);
      const body = documentOf({ ...purpose, manifest: options.manifest, reason: options.reason });
      return readApproval(await asker.write({ method: 'POST', path: `${path}/approvals`, name, body }, options));
    },
    async withdrawApproval(reference, purpose, options = {}) {
      const { path, name } = versionOf(reference);
      const query = { ...purpose, reason: options.reason };
      return readApproval(await asker.write({ method: 'DELETE', path: `${path}/approvals`, name, query }, options));
    },
    async setHold(name, { hold, number }, options = {}) {
      const body = documentOf({ number, reason: options.reason });
      await asker.write({ method: 'PUT', path: holdPath(name, hold), name, body }, options);
    },
    async releaseHold(name, hold, options = {}) {
      const query = { reason: options.reason };
      await asker.write({ method: 'DELETE', path: holdPath(name, hold), name, query }, options);
    },
  };
}

function holdPath(name: ModelName, hold: string): string {
  return `${modelPath(name)}/holds/${encodeURIComponent(hold)}`;
}

type About = { readonly name?: ModelName };

/** Asks about models, and remembers of each the last event that an answer reflected. */
class Asker {
  readonly #client: ServerClient;
  readonly #seqs = new Map<ModelName, number>();

  constructor(client: ServerClient) {
    this.#client = client;
  }

  async get(
    { path, query, name }: Pick<Question, 'path' | 'query'> & About,
    options: RegistryOptions,
  ): Promise<JsonObject> {
    return documentIn(await this.#ask({ method: 'GET', path, query, signal: options.signal }, name));
  }

  async write(question: Question & About, options: RegistryOptions): Promise<JsonObject> {
    const { name, ...asked } = question;
    const { actor, expectedSeq, signal } = options;
    const headers = {
      ...(actor !== undefined && { 'ingot-actor': encodeURIComponent(actor) }),
      ...(expectedSeq !== undefined && { 'ingot-expected-seq': String(expectedSeq) }),
    };
    const answer = await this.#ask({ ...asked, headers, signal }, name);
    return answer.body ?? {};
  }

  async *pages<T>(
    path: string,
    read: (item: JsonObject) => T,
    options: RegistryOptions,
    name?: ModelName,
  ): AsyncGenerator<T> {
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const query: Question['query'] = { limit: String(PAGE), cursor: cursor === '' ? undefined : cursor };
      const page: PageRead<T> = readPage(await this.get({ path, query, ...(name && { name }) }, options), read);
      yield* page.items;
      cursor = page.next;
    }
  }

  /** The name may mean another model from now on. */
  forget(name: ModelName): void {
    this.#seqs.delete(name);
  }

  async #ask(question: Question, name: ModelName | undefined): Promise<Answer> {
    const least = name === undefined ? undefined : this.#seqs.get(name);
    const headers = { ...(least !== undefined && { 'ingot-min-seq': String(least) }), ...question.headers };
    try {
      const answer = await this.#client.ask({ ...question, headers });
      const seq = Number(answer.headers['ingot-seq']);
      if (name !== undefined && seq > (least ?? 0)) this.#seqs.set(name, seq);
      return answer;
    } catch (error) {
      // A model that is gone, perhaps made anew by others, counts its events from 1 again.
      if (name !== undefined && error instanceof IngotError && error.code === 'model-not-found') this.forget(name);
      throw error;
    }
  }
}

function documentIn({ body }: Answer): JsonObject {
  if (body !== undefined) return body;
  throw new IngotError('unavailable', 'the server answers without a document', { retryable: false });
}

/** Leaves out what is undefined. */
function documentOf(value: object): JsonObject {
  const document: unknown = JSON.parse(JSON.stringify(value));
  return isJsonObject(document) ? document : {};
}

function modelPath(name: ModelName): string {
  return `/models/${encodeURIComponent(name)}`;
}

function aliasPath(name: ModelName, alias: string): string {
  return `${modelPath(name)}/aliases/${encodeURIComponent(alias)}`;
}

function versionOf(reference: Reference): { readonly path: string; readonly name: ModelName } {
  return { path: versionPath(reference), name: reference.name };
}

function versionPath({ name, selector }: Reference): string {
  const base = `${modelPath(name)}/versions/`;
  switch (selector.kind) {
    case 'latest':
      return `${base}latest`;
    case 'version':
      return `${base}${selector.number}`;
    case 'label':
      return `${base}${encodeURIComponent(selector.label)}`;
    case 'alias':
      return `${base}${encodeURIComponent(`@${selector.alias}`)}`;
    case 'digest':
      return `${base}${encodeURIComponent(`@${selector.digest}`)}`;
  }
}

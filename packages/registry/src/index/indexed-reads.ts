import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName, Reference } from '@ingot/core/ref';
import { compact } from '@ingot/core/registry/fields';
import { historyEntry } from '@ingot/core/registry/history-summary';
import type { ReadingRegistry } from '@ingot/core/registry/log-reader';
import type { HistoryEntry, ResolvedVersion } from '@ingot/core/registry/registry';
import { isDigest } from '@ingot/core/digest';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { Log } from '../services.ts';
import type { Follower } from './follower.ts';
import { type HotModel, type HotModels, keepAnswer, questionOf } from './hot-models.ts';
import {
  firstActive,
  pastTargets,
  readHotModel,
  readSelected,
  readSummaries,
  readView,
  recordOf,
} from './index-reader.ts';
import { aliasMissing, modelNotFound, versionNotFound } from './not-found.ts';
import { NAMES } from './projector.ts';
import { SeqCheck } from './seq-check.ts';
import type { StoredRecord } from './version-rows.ts';

/** What reading from the index works with. */
export interface IndexedReadsOptions {
  readonly index: Kysely<IndexTables>;
  readonly follower: Follower;
  readonly hot: HotModels;
  /** Whether other servers write to the same index: then what is kept is only used while the index is no further. */
  readonly isShared: boolean;
  readonly log: Log;
}

/** Reads from the index. */
export interface IndexedReads extends Omit<ReadingRegistry, 'log'> {
  /** What is kept of the model that has a name now. Throws `model-not-found`, and what is wrong with its log. */
  hotModel(name: ModelName): Promise<HotModel>;
}

/** Makes the reading half of a registry over an index. */
export function createIndexedReads(options: IndexedReadsOptions): IndexedReads {
  const { index, hot } = options;
  const opening = new ModelOpening(options);

  async function selected(model: HotModel, reference: Reference): Promise<StoredRecord> {
    return (await readSelected(index, model, reference.selector)) ?? versionNotFound(index, model, reference.selector);
  }

  return {
    hotModel: (name) => opening.model(name),

    async resolve(reference) {
      const model = await opening.model(reference.name);
      const question = questionOf(reference);
      const known = model.resolved.get(question);
      if (known !== undefined) return known;
      const answer = resolvedAs(model, await selected(model, reference), reference);
      keepAnswer(model.resolved, question, answer);
      return answer;
    },

    async version(reference) {
      const model = await opening.model(reference.name);
      const question = questionOf(reference);
      const known = model.records.get(question);
      if (known !== undefined) return known;
      const record = recordOf(model, await selected(model, reference));
      keepAnswer(model.records, question, record);
      return record;
    },

    async *models() {
      await opening.names();
      yield* readSummaries(index);
    },

    async model(name) {
      const model = await opening.model(name);
      const view = await readView(index, model);
      if (view !== undefined) return view;
      hot.forget(model.id);
      throw await modelNotFound(index, name);
    },

    async *history(name) {
      yield* readHistory(index, await opening.model(name));
    },

    async previousAliasTarget(name, alias) {
      const model = await opening.model(name);
      const past = (await pastTargets(index, model.id, alias)) ?? (await aliasMissing(index, model, alias));
      return firstActive(index, model.id, past);
    },
  };
}

/** Finds models by name, hot ones without asking the database. */
class ModelOpening {
  readonly #options: IndexedReadsOptions;
  readonly #seqs: SeqCheck;

  constructor(options: IndexedReadsOptions) {
    this.#options = options;
    this.#seqs = new SeqCheck(options.index);
  }

  async model(name: ModelName): Promise<HotModel> {
    const { hot, index, follower } = this.#options;
    const known = hot.get(name);
    if (known !== undefined && (await this.#isCurrent(known))) return known;
    const { generation } = hot;
    await this.names();
    const model = await readHotModel(index, name);
    if (model === undefined) throw await modelNotFound(index, name);
    if (!follower.hasSeen(model.id)) {
      await this.#look(model.id);
      // Read again with what is new; a log that cannot be looked at now is answered as it is indexed.
      if (hot.generation !== generation) return this.#read(name);
    }
    await this.#refuseBroken(model);
    hot.keep(model, generation);
    return model;
  }

  /** Looks at the names log once after the start. */
  async names(): Promise<void> {
    if (!this.#options.follower.hasSeen(NAMES)) await this.#look(NAMES);
  }

  async #read(name: ModelName): Promise<HotModel> {
    const { hot, index } = this.#options;
    const { generation } = hot;
    const model = await readHotModel(index, name);
    if (model === undefined) throw await modelNotFound(index, name);
    await this.#refuseBroken(model);
    hot.keep(model, generation);
    return model;
  }

  async #isCurrent({ id, seq, namesSeq }: HotModel): Promise<boolean> {
    if (!this.#options.isShared) return true;
    const seqs = await this.#seqs.of(id);
    return (seqs.get(id) ?? 0) === seq && (seqs.get(NAMES) ?? 0) === namesSeq;
  }

  // The store may be away: what is indexed is still the answer. What is wrong with a log is told by its row.
  async #look(log: string): Promise<void> {
    try {
      await this.#options.follower.catchUp(log);
    } catch (error) {
      if (!isIngotError(error)) throw error;
      this.#options.log('warn', `${log} could not be looked at: ${error.message}`, { log, code: error.code });
    }
  }

  async #refuseBroken({ id }: HotModel): Promise<void> {
    const problem = await this.#options.index
      .selectFrom('log_problems')
      .selectAll()
      .where('log', '=', id)
      .executeTakeFirst();
    if (problem === undefined) return;
    const code = problem.code === 'integrity' || problem.code === 'refused' ? problem.code : 'tampered';
    throw new IngotError(code, problem.message, {
      hint: 'ingot check   (says what else is wrong)',
      details: { log: id, since: problem.since },
    });
  }
}

function resolvedAs(model: HotModel, record: StoredRecord, reference: Reference): ResolvedVersion {
  const { number, label, manifest, recipe } = record;
  return compact({ reference, model: model.name, modelId: model.id, number, label, manifest, recipe, seq: model.seq });
}

const EVENTS_AT_ONCE = 500;

async function* readHistory(index: Kysely<IndexTables>, { id, seq: last }: HotModel): AsyncGenerator<HistoryEntry> {
  for (let after = 0; after < last; ) {
    const rows = await index
      .selectFrom('events')
      .selectAll()
      .where('log', '=', id)
      .where('seq', '>', after)
      .where('seq', '<=', last)
      .orderBy('seq')
      .limit(EVENTS_AT_ONCE)
      .execute();
    for (const { seq, at, actor, kind, digest, body } of rows) {
      if (!isDigest(digest)) throw new IngotError('integrity', `the index has no digest of event ${seq} of ${id}`);
      yield historyEntry({
        head: { seq, at, actor, kind },
        digest,
        body: body === null ? undefined : JSON.parse(body),
      });
    }
    const end = rows.at(-1)?.seq;
    if (end === undefined) return;
    after = end;
  }
}

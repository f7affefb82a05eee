import type { ModelName, Reference } from '@ingot/core/ref';
import type { StoredEvent } from '@ingot/core/registry/events';
import type { ResolvedVersion, VersionRecord } from '@ingot/core/registry/registry';

/** What is kept of a model between requests. Answers are kept as they were given, by what was asked. */
export interface HotModel {
  readonly id: string;
  readonly name: ModelName;
  /** Events of the model's log that it reflects. */
  readonly seq: number;
  /** Events of the names log that it reflects. */
  readonly namesSeq: number;
  readonly latest: number | null;
  readonly lastNumber: number;
  readonly aliases: ReadonlyMap<string, number>;
  readonly resolved: Map<string, ResolvedVersion>;
  readonly records: Map<string, VersionRecord>;
}

const MODELS_KEPT = 2000;
const ANSWERS_KEPT = 500;

/** Models that were asked for lately, by name, the longest unused go first. */
export class HotModels {
  readonly #models = new Map<string, HotModel>();
  readonly #names = new Map<string, string>();
  #generation = 0;

  /** Counts what was forgotten: whoever reads rows and then keeps them must find it unchanged. */
  get generation(): number {
    return this.#generation;
  }

  get(name: string): HotModel | undefined {
    return this.#models.get(name);
  }

  withId(id: string): HotModel | undefined {
    const name = this.#names.get(id);
    return name === undefined ? undefined : this.#models.get(name);
  }

  /** Keeps a model, unless something was forgotten since it began to be read. */
  keep(model: HotModel, generation: number): void {
    if (generation !== this.#generation) return;
    this.#models.delete(model.name);
    this.#models.set(model.name, model);
    this.#names.set(model.id, model.name);
    const [oldest] = this.#models.values();
    if (this.#models.size > MODELS_KEPT && oldest !== undefined) this.#drop(oldest);
  }

  /**
   * Brings a model up to events of its log that are in the index now. What they change of it that is not plain to see is
   * read anew when somebody asks.
   */
  advance(id: string, events: readonly StoredEvent[]): void {
    const name = this.#names.get(id);
    const model = name === undefined ? undefined : this.#models.get(name);
    this.forget(id);
    const next = model && advanced(model, events);
    if (next !== undefined) this.keep(next, this.#generation);
  }

  /** Forgets a model that has changed. */
  forget(id: string): void {
    this.#generation += 1;
    const name = this.#names.get(id);
    const model = name === undefined ? undefined : this.#models.get(name);
    if (model !== undefined) this.#drop(model);
  }

  /** Forgets all of them: names have changed. */
  clear(): void {
    this.#generation += 1;
    this.#models.clear();
    this.#names.clear();
  }

  #drop({ name, id }: HotModel): void {
    this.#models.delete(name);
    this.#names.delete(id);
  }
}

/** Kinds that change only what answers say of a version, or nothing that is kept. */
const PLAIN: ReadonlySet<string> = new Set([
  'version-updated',
  'stage-set',
  'model-updated',
  'approval-given',
  'attached',
  'detached',
]);

function advanced(model: HotModel, events: readonly StoredEvent[]): HotModel | undefined {
  let { seq, latest, lastNumber } = model;
  for (const { head, body } of events) {
    if (head.seq !== seq + 1) return undefined;
    seq = head.seq;
    if (PLAIN.has(head.kind)) continue;
    const number = body?.number;
    if (head.kind !== 'version-published' || typeof number !== 'number') return undefined;
    lastNumber = number;
    if (body?.retired !== true) latest = number;
  }
  return { ...model, seq, latest, lastNumber, resolved: new Map(), records: new Map() };
}

/** Keeps an answer of a model. */
export function keepAnswer<Answer>(answers: Map<string, Answer>, key: string, answer: Answer): void {
  if (answers.size >= ANSWERS_KEPT) answers.clear();
  answers.set(key, answer);
}

/** What tells one question to a model from another. */
export function questionOf({ selector }: Reference): string {
  switch (selector.kind) {
    case 'latest':
      return 'latest';
    case 'version':
      return `:${selector.number}`;
    case 'label':
      return `label ${selector.label}`;
    case 'alias':
      return `@${selector.alias}`;
    case 'digest':
      return selector.digest;
  }
}

import type { BlobOptions } from '../blob/blob-store.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { ModelName, Reference } from '../ref.ts';
import { parseAlias } from '../ref.ts';
import type { Appended, LogSnapshot } from './log-snapshot.ts';
import type { EventDraft } from './events.ts';
import type { ModelDirectory } from './model-directory.ts';
import type { ModelState, VersionEntry } from './model-fold.ts';
import type { OpenModel } from './record.ts';
import { type KnownEvents, readRecord } from './record.ts';
import type { AliasMove, AliasOptions, Registry, VersionChanges, VersionRecord } from './registry.ts';
import { aliasNotFound, numbered, selectVersion } from './select.ts';

/** Options of writes that take a reason. */
export interface ReasonOptions extends BlobOptions {
  readonly actor?: string;
  readonly expectedSeq?: number;
  readonly reason?: string;
}

/** Appends to the log of a model that was opened `toWrite`, or appended to, by the same operation; refuses when the model was deleted meanwhile. */
export async function appendTo(
  directory: ModelDirectory,
  model: OpenModel,
  decide: (state: ModelState) => EventDraft | undefined,
  options: BlobOptions & { readonly actor?: string; readonly expectedSeq?: number | undefined },
): Promise<Appended<ModelState>> {
  await directory.writableNames(options);
  const appended = await model.log.append(
    (snapshot: LogSnapshot<ModelState>) => {
      checkSeq(model, snapshot, options);
      if (snapshot.state.closed)
        throw new IngotError('conflict', `model "${model.name}" was deleted meanwhile`, {
          details: { model: model.name },
        });
      return decide(snapshot.state);
    },
    { ...options, seen: directory.trust },
  );
  await directory.remember();
  return appended;
}

/** Refuses to write what was decided on an older state of the log. */
export function checkSeq(
  { name }: OpenModel,
  { seq }: LogSnapshot<ModelState>,
  { expectedSeq }: { readonly expectedSeq?: number | undefined },
): void {
  if (expectedSeq === undefined || expectedSeq === seq) return;
  throw new IngotError(
    'precondition-failed',
    `"${name}" was changed meanwhile: event ${seq} came after ${expectedSeq}`,
    {
      hint: `ingot history ${name}`,
      details: { model: name, seq, expectedSeq },
    },
  );
}

/** Adds a reason to a body, if there is one. */
export function reasoned(body: JsonObject, reason: string | undefined): JsonObject {
  return reason === undefined ? body : { ...body, reason };
}

/** Makes the methods of a registry that change what is said of versions, and their aliases. */
export function createVersionWriter(
  directory: ModelDirectory,
): Pick<Registry, 'update' | 'setStage' | 'setAlias' | 'removeAlias' | 'retire' | 'deleteVersion'> {
  return {
    update: async (reference, changes, options = {}) => {
      const model = await directory.open(reference.name, { ...options, toWrite: true });
      return updateVersion(directory, model, reference, changes, options);
    },

    setStage: async (reference, stage, options = {}) => {
      if (stage !== null) checkStage(stage);
      const model = await directory.open(reference.name, { ...options, toWrite: true, lately: true });
      return mark(directory, model, reference, options, ({ number, stage: from = null }) =>
        from === stage ? undefined : { kind: 'stage-set', body: { number, stage, from } },
      );
    },

    setAlias: async (name, alias, number, options = {}) => {
      const model = await directory.open(name, { ...options, toWrite: true, lately: true });
      return moveAlias(directory, model, alias, number, options);
    },

    async removeAlias(name, alias, options = {}) {
      const model = await directory.open(name, { ...options, toWrite: true, lately: true });
      let from: number | null = null;
      await appendTo(
        directory,
        model,
        (state) => {
          from = aliasNumber(state, alias) ?? aliasNotFound(name, state, alias);
          checkExpected(name, alias, from, options.expected);
          return { kind: 'alias-removed', body: reasoned({ alias, from }, options.reason) };
        },
        options,
      );
      return { alias, from, to: null };
    },

    async retire(reference, options = {}) {
      const model = await directory.open(reference.name, { ...options, toWrite: true });
      return mark(directory, model, reference, options, (entry) =>
        entry.status === 'retired' ? undefined : { kind: 'version-retired', body: { number: entry.number } },
      );
    },

    async deleteVersion(reference, options = {}) {
      const model = await directory.open(reference.name, { ...options, toWrite: true });
      await appendTo(
        directory,
        model,
        (state) => {
          const { number } = selectVersion(model.name, state, reference.selector);
          checkDeletable(model.name, state, number);
          return { kind: 'version-deleted', body: reasoned({ number }, options.reason) };
        },
        options,
      );
    },
  };
}

/** Changes what is said of a version; nothing is written when all of it is said already. */
export async function updateVersion(
  directory: ModelDirectory,
  model: OpenModel,
  reference: Reference,
  changes: VersionChanges & { readonly label?: string },
  options: ReasonOptions,
  known: KnownEvents = new Map(),
): Promise<VersionRecord> {
  checkMetrics(changes.metrics);
  const before = await readRecord(model, selectVersion(model.name, model.state, reference.selector), options, known);
  const selector = { kind: 'version', number: before.number } as const;
  const decide = ({ number }: VersionEntry): EventDraft | undefined => {
    const body = effective(before, changes);
    return Object.keys(body).length === 0 ? undefined : { kind: 'version-updated', body: { number, ...body } };
  };
  return mark(directory, model, { ...reference, selector }, options, decide, known);
}

/** Points an alias at a version; nothing is written when it is there already. */
export async function moveAlias(
  directory: ModelDirectory,
  model: OpenModel,
  alias: string,
  number: number,
  options: AliasOptions,
): Promise<AliasMove> {
  parseAlias(alias);
  let from: number | null = null;
  await appendTo(
    directory,
    model,
    (state) => {
      from = aliasNumber(state, alias);
      numbered(model.name, state, number);
      checkExpected(model.name, alias, from, options.expected);
      return from === number
        ? undefined
        : { kind: 'alias-set', body: reasoned({ alias, number, from }, options.reason) };
    },
    options,
  );
  return { alias, from, to: number };
}

/** Refuses metrics that JSON cannot hold. */
export function checkMetrics(metrics: Readonly<Record<string, number>> | undefined): void {
  const bad = Object.entries(metrics ?? {}).find(([, value]) => !Number.isFinite(value));
  if (bad === undefined) return;
  throw new IngotError('usage', `metric "${bad[0]}" is ${bad[1]}: a metric is a finite number`);
}

const STAGE = /^[^\p{C}\s](?:[^\p{C}]{0,98}[^\p{C}\s])?$/u;

/** Refuses a text that can be no stage. */
export function checkStage(stage: string): void {
  if (STAGE.test(stage)) return;
  throw new IngotError('invalid-name', `${JSON.stringify(stage.slice(0, 120))} can be no stage`, {
    hint: 'a stage has 1 to 100 characters, none of them a control character, and no space at its ends',
    details: { stage: stage.slice(0, 120) },
  });
}

/** Refuses to delete what a hold or an alias needs; without a number, the whole model. */
export function checkDeletable(name: ModelName, state: ModelState, number?: number): void {
  const hold = state.holds.find((held) => held.number === null || number === undefined || held.number === number);
  if (hold !== undefined)
    throw new IngotError(
      'refused',
      `${hold.number === null ? `"${name}"` : `version ${hold.number} of "${name}"`} is under the hold "${hold.hold}", which forbids deletion`,
      {
        hint: `ingot hold release ${name} ${shown(hold.hold)} -m REASON   (if it may end)`,
        details: { hold: hold.hold, number: hold.number },
      },
    );
  const named = number === undefined ? undefined : state.aliases.find((entry) => entry.number === number);
  if (named === undefined) return;
  throw new IngotError('conflict', `alias "${named.alias}" names version ${number} of "${name}"`, {
    hint: `ingot alias rm ${name} ${named.alias}`,
    details: { alias: named.alias },
  });
}

function shown(hold: string): string {
  return /^[\w.:@/-]+$/.test(hold) ? hold : JSON.stringify(hold);
}

async function mark(
  directory: ModelDirectory,
  model: OpenModel,
  reference: Reference,
  options: ReasonOptions,
  decide: (entry: VersionEntry) => EventDraft | undefined,
  known: KnownEvents = new Map(),
): Promise<VersionRecord> {
  let number = 0;
  const { snapshot, event } = await appendTo(
    directory,
    model,
    (state) => {
      const entry = selectVersion(model.name, state, reference.selector);
      number = entry.number;
      const draft = decide(entry);
      return draft && { ...draft, body: reasoned(draft.body, options.reason) };
    },
    options,
  );
  if (event !== undefined) known.set(event.head.seq, event);
  const now = directory.opened(model, snapshot);
  return readRecord(now, numbered(model.name, now.state, number), options, known);
}

function aliasNumber(state: ModelState, alias: string): number | null {
  return state.aliases.find((entry) => entry.alias === alias)?.number ?? null;
}

function checkExpected(
  name: ModelName,
  alias: string,
  current: number | null,
  expected: number | null | undefined,
): void {
  if (expected === undefined || expected === current) return;
  const say = (number: number | null) => (number === null ? 'nothing' : `version ${number}`);
  throw new IngotError(
    'conflict',
    `alias "${alias}" of "${name}" names ${say(current)}, not ${say(expected)}: somebody moved it`,
    { hint: `ingot history ${name}`, details: { alias, current, expected } },
  );
}

function effective(before: VersionRecord, changes: VersionChanges & { readonly label?: string }): JsonObject {
  const tags = Object.entries(changes.tags ?? {}).filter(([key, value]) => (own(before.tags, key) ?? null) !== value);
  const metrics = Object.entries(changes.metrics ?? {}).filter(([key, value]) => own(before.metrics, key) !== value);
  const { description, card, label } = changes;
  return {
    ...(description === undefined || description === before.description ? {} : { description }),
    ...(card === undefined || card === (before.card ?? '') ? {} : { card }),
    ...(label === undefined || label === before.label ? {} : { label }),
    ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
    ...(metrics.length === 0 ? {} : { metrics: Object.fromEntries(metrics) }),
  };
}

function own<T>(object: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

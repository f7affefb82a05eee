import type { ModelName } from '../ref.ts';
import { parseModelName } from '../ref.ts';
import { NAME_KINDS } from './events.ts';
import { Fields, compact } from './fields.ts';
import type { Fold, SlimEvent, UnknownEvent } from './fold.ts';
import { noteUnknown, pick } from './fold.ts';
import { parseUnknown } from './model-fold.ts';

/** A model that has a name now. */
export interface NamedModel {
  readonly name: ModelName;
  /** `<slug>-<random hex>`: names its keys, and is never used again. */
  readonly id: string;
  readonly createdAt: string;
}

/** All names of a store. */
export interface NamesState {
  readonly models: ReadonlyMap<string, NamedModel>;
  readonly unknown?: UnknownEvent;
}

const SLIM_KEYS: Readonly<Record<string, readonly string[]>> = {
  'model-created': ['name', 'id'],
  'model-renamed': ['renames'],
  'model-deleted': ['name', 'id'],
};

const KNOWN: ReadonlySet<string> = new Set(NAME_KINDS);
const MODEL_ID = /^[a-z0-9-]{1,60}-[0-9a-f]{16}$/;

interface Draft {
  readonly models: Map<string, NamedModel>;
  unknown: UnknownEvent | undefined;
}

/** The fold of the names log. */
export const namesFold: Fold<NamesState> = {
  version: 1,
  initial: { models: new Map() },
  slimBody: (kind, body) => pick(body, SLIM_KEYS[kind] ?? []),
  apply(state, events, fileOf) {
    const draft: Draft = { models: new Map(state.models), unknown: state.unknown };
    for (const event of events) applyEvent(draft, event, fileOf(event.seq));
    return compact(draft);
  },
  unknown: (state) => state.unknown,
  toJson: ({ models, unknown }) => compact({ models: [...models.values()], unknown }),
  parse(json, where) {
    const fields = new Fields(json, where);
    const models = fields.objects('models').map((model) => namedModel(model, model.text('createdAt')));
    return compact({ models: new Map(models.map((model) => [model.name, model])), unknown: parseUnknown(fields) });
  },
};

function applyEvent(draft: Draft, event: SlimEvent, file: string): void {
  if (!KNOWN.has(event.kind)) {
    draft.unknown = noteUnknown(draft.unknown, event);
    return;
  }
  if (event.body === undefined) return;
  const fields = new Fields(event.body, file);
  if (event.kind === 'model-created') create(draft, namedModel(fields, event.at), fields);
  if (event.kind === 'model-renamed') rename(draft, fields.objects('renames'));
  if (event.kind === 'model-deleted') drop(draft, fields.text('name'), fields);
}

function create(draft: Draft, model: NamedModel, fields: Fields): void {
  if (draft.models.has(model.name)) fields.fail('name', 'a free name');
  draft.models.set(model.name, model);
}

// All old names go before the first new one comes, so that two models can swap their names in one event.
function rename(draft: Draft, renames: readonly Fields[]): void {
  const moved = renames.map((fields) => {
    const to = namedAs(fields, 'to');
    return { fields, model: { ...drop(draft, fields.text('from'), fields), name: to } };
  });
  for (const { fields, model } of moved) create(draft, model, fields);
}

function drop(draft: Draft, name: string, fields: Fields): NamedModel {
  const model = draft.models.get(name);
  if (model === undefined || model.id !== fields.text('id')) return fields.fail('id', `the model named "${name}"`);
  draft.models.delete(name);
  return model;
}

function namedModel(fields: Fields, createdAt: string): NamedModel {
  return { name: namedAs(fields, 'name'), id: fields.matching('id', MODEL_ID, 'a model id'), createdAt };
}

function namedAs(fields: Fields, key: string): ModelName {
  try {
    return parseModelName(fields.text(key));
  } catch {
    // What is wrong is the log, not something the reader typed.
    return fields.fail(key, 'a model name');
  }
}

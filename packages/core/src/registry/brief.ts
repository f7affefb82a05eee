import type { JsonObject } from '../json.ts';
import { compact, Fields } from './fields.ts';
import type { ModelState } from './model-fold.ts';
import type { NamedModel } from './names-fold.ts';
import type { OpenModel } from './record.ts';
import { slimVersion } from './record.ts';
import type { ModelSummary, ModelView, VersionSlim } from './registry.ts';
import { keptVersions, latestVersion, liveAliases } from './select.ts';

/** What a listing says of a model, but for what the names log knows. */
export interface ModelBrief extends Omit<ModelSummary, 'name' | 'id' | 'createdAt' | 'updatedAt'> {
  /** Time of the last event; null before the first. */
  readonly at: string | null;
  readonly closed: boolean;
}

/** Sums a model up. */
export function briefOf(state: ModelState, at: string | null): ModelBrief {
  const latest = latestVersion(state);
  return compact({
    at,
    closed: state.closed,
    description: (state.description || undefined) ?? state.newestDescription,
    tags: state.tags,
    aliases: Object.fromEntries(liveAliases(state).map(({ alias, number }) => [alias, number])),
    versions: keptVersions(state).length,
    latest: latest && slimVersion(latest),
  });
}

/** Puts a model's name to what is said of it. */
export function summaryFrom({ name, id, createdAt }: NamedModel, { at, closed: _, ...said }: ModelBrief): ModelSummary {
  return { name, id, createdAt, updatedAt: at ?? createdAt, ...said };
}

/** A model with its versions; deleted ones are shown as such. */
export function viewOf(model: OpenModel): ModelView {
  const all = model.state.versions.flatMap((entry) => (entry === null ? [] : [slimVersion(entry)])).reverse();
  return { ...summaryFrom(model, briefOf(model.state, model.at)), all };
}

/** Reads a brief that was kept as JSON. Throws `integrity`. */
export function parseBrief(json: JsonObject, where: string): ModelBrief {
  const fields = new Fields(json, where);
  const at = fields.raw('at');
  return compact({
    at: at === null ? at : fields.text('at'),
    closed: fields.boolean('closed'),
    description: fields.optionalText('description'),
    tags: fields.optionalTextMap('tags') ?? {},
    aliases: fields.optionalNumberMap('aliases') ?? {},
    versions: fields.count('versions'),
    latest: fields.raw('latest') === undefined ? undefined : parseSlimVersion(fields.inner('latest')),
  });
}

function parseSlimVersion(fields: Fields): VersionSlim {
  return compact({
    number: fields.positive('number'),
    manifest: fields.digest('manifest'),
    label: fields.optionalText('label'),
    status: fields.oneOf('status', ['active', 'retired', 'deleted'] as const),
    publishedAt: fields.text('publishedAt'),
    createdAt: fields.optionalText('createdAt'),
    flavor: fields.text('flavor'),
    sizeBytes: fields.count('sizeBytes'),
    metrics: fields.optionalNumberMap('metrics'),
    stage: fields.optionalText('stage'),
  });
}

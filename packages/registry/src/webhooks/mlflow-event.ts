import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import type { FeedEvent } from '../events/feed.ts';

/** An event as MLflow tells it: `model_version_alias.created`, and its data. */
export interface MlflowEvent {
  readonly entity: string;
  readonly action: string;
  /** Tells several events of one log entry apart. */
  readonly part: string;
  readonly data: JsonObject;
}

/** Actions by entity, as MLflow knows them; those of prompts and budgets never happen here. */
export const MLFLOW_ACTIONS: Readonly<Record<string, readonly string[]>> = {
  registered_model: ['created'],
  model_version: ['created'],
  model_version_tag: ['deleted', 'set'],
  model_version_alias: ['created', 'deleted'],
  prompt: ['created'],
  prompt_version: ['created'],
  prompt_tag: ['deleted', 'set'],
  prompt_version_tag: ['deleted', 'set'],
  prompt_alias: ['created', 'deleted'],
  budget_policy: ['exceeded'],
};

/** Tells an event of a log as MLflow would: none, one, or one for each tag. */
export function mlflowEventsOf({ kind, model, body }: FeedEvent): readonly MlflowEvent[] {
  if (model === null) return [];
  const name: string = model;
  const version = String(body.number ?? '');
  switch (kind) {
    case 'model-created':
      return [one('registered_model', 'created', { name, tags: {}, description: null })];
    case 'version-published':
      return [
        one('model_version', 'created', {
          name,
          version,
          source: `models:/${name}/${version}`,
          run_id: runOf(body),
          tags: isJsonObject(body.tags) ? body.tags : {},
          description: textOf(body.description),
        }),
      ];
    case 'alias-set':
      return [one('model_version_alias', 'created', { name, alias: textOf(body.alias), version })];
    case 'alias-removed':
      return [one('model_version_alias', 'deleted', { name, alias: textOf(body.alias) })];
    case 'version-updated':
      return Object.entries(isJsonObject(body.tags) ? body.tags : {}).map(([key, value]) =>
        value === null
          ? one('model_version_tag', 'deleted', { name, version, key }, key)
          : one('model_version_tag', 'set', { name, version, key, value: String(value) }, key),
      );
    default:
      return [];
  }
}

/** What a test of a webhook sends. */
export function mlflowExample(entity: string, action: string): JsonObject {
  const name = 'example_model';
  const tags = { example_key: 'example_value' };
  if (entity === 'registered_model') return { name, tags, description: 'An example registered model' };
  if (entity === 'model_version')
    return {
      name,
      version: '1',
      source: 'models:/123',
      run_id: 'abcd1234abcd5678',
      tags,
      description: 'An example model version',
    };
  if (entity === 'model_version_tag')
    return { name, version: '1', key: 'example_key', ...(action === 'set' && { value: 'example_value' }) };
  if (entity === 'model_version_alias')
    return { name, alias: 'example_alias', ...(action === 'created' && { version: '1' }) };
  return { name };
}

function one(entity: string, action: string, data: JsonObject, part = ''): MlflowEvent {
  return { entity, action, part, data };
}

function runOf({ lineage }: JsonObject): string | null {
  return isJsonObject(lineage) ? textOf(lineage.run) : null;
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

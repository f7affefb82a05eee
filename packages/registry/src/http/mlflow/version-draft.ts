import { isIngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import type { VersionDraft } from '@ingot/core/registry/registry';
import type { Services } from '../../services.ts';
import type { Entry } from '../../tracking/context.ts';
import { getLoggedModel, type LoggedModel } from '../../tracking/logged-models.ts';
import { type RunFacts, runFacts } from '../../tracking/run-facts.ts';
import type { CheckedSource } from './model-version-source.ts';
import { RESERVED_TAGS } from './registry-names.ts';

/** What a client says of a new version. */
export interface SaidOfVersion {
  readonly checked: CheckedSource;
  readonly tags: readonly Entry[];
  readonly runLink?: string | undefined;
  readonly description?: string | undefined;
}

/**
 * Adds to what a package says of itself what the client says, and what the run and the logged model tell: metrics,
 * params, data sets. So the log of the store carries it, and no database is needed to know it again.
 */
export async function draftFor(services: Services, found: VersionDraft, said: SaidOfVersion): Promise<VersionDraft> {
  const { source, runId, modelId } = said.checked;
  const model = modelId ? await unlessMissing(() => getLoggedModel(services, modelId)) : undefined;
  const run = runId ? await runFacts(services, runId) : undefined;
  const metrics = { ...metricsOf(model, run), ...found.metrics };
  const params = { ...paramsOf(model, run), ...found.params };
  const lineage = { ...found.lineage, ...lineageOf(said.checked, run) };
  return {
    ...found,
    tags: {
      ...found.tags,
      ...Object.fromEntries(said.tags.map(({ key, value }) => [key, value])),
      [RESERVED_TAGS.source]: source,
      ...(said.runLink ? { [RESERVED_TAGS.runLink]: said.runLink } : {}),
      ...(modelId ? { [RESERVED_TAGS.modelId]: modelId } : {}),
    },
    ...(said.description ? { description: said.description } : {}),
    ...(Object.keys(metrics).length === 0 ? {} : { metrics }),
    ...(Object.keys(params).length === 0 ? {} : { params }),
    ...(Object.keys(lineage).length === 0 ? {} : { lineage }),
  };
}

function metricsOf(model: LoggedModel | undefined, run: RunFacts | undefined): Record<string, number> {
  const own = model?.metrics ?? [];
  const points = own.length > 0 ? own : (run?.metrics ?? []);
  // Of each the last one counts; what is no number is not said.
  return Object.fromEntries(points.filter(({ value }) => Number.isFinite(value)).map(({ key, value }) => [key, value]));
}

function paramsOf(model: LoggedModel | undefined, run: RunFacts | undefined): JsonObject {
  const own = model?.params ?? [];
  const entries = own.length > 0 ? own : (run?.params ?? []);
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

function lineageOf({ source, runId }: CheckedSource, run: RunFacts | undefined): NonNullable<VersionDraft['lineage']> {
  const data = run?.data ?? [];
  const parent = /^models:\/([^/]+)\/(\d+)$/.exec(source);
  return {
    ...(runId ? { run: runId } : {}),
    ...(data.length === 0 ? {} : { data }),
    ...(parent === null ? {} : { parents: [`${parent[1]}:${parent[2]}`] }),
    ...(isElsewhere(source) ? { source: { address: source, revision: 'unknown' } } : {}),
  };
}

function isElsewhere(source: string): boolean {
  return !/^(?:models|runs|mlflow-artifacts):/i.test(source);
}

async function unlessMissing<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (isIngotError(error, 'not-found')) return undefined;
    throw error;
  }
}

/** What goes over the native API: each schema once, for types, checks and the OpenAPI document. */

import { isDigest, type Digest } from '@ingot/core/digest';
import { ERROR_CODES } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { DATATYPES, FEATURE_TYPES } from '@ingot/core/signature';
import { z } from 'zod';

/** Lets a schema stand once in the OpenAPI document, under a name. */
function named<T extends z.ZodType>(id: string, schema: T): T {
  z.globalRegistry.add(schema, { id });
  return schema;
}

/** Lists are read-only, here as everywhere. */
function list<T extends z.ZodType>(item: T): z.ZodType<readonly z.output<T>[], readonly z.input<T>[]> {
  return z.array(item);
}

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)?$/;

export const ModelNameText = z.string().min(1).max(200).describe('`churn` or `team/churn`.').meta({
  pattern: NAME_PATTERN.source,
});
export const AliasText = z.string().min(1).max(100).describe('A movable name for a version: `production`.');
export const DigestText = z
  .custom<Digest>((value) => typeof value === 'string' && isDigest(value))
  .meta({
    type: 'string',
    pattern: '^sha256:[0-9a-f]{64}$',
    description: '`sha256:` and 64 lower-case hex digits.',
  });
export const Moment = z.string().max(40).describe('ISO 8601, UTC.');
export const Reason = z.string().max(2000).describe('Why, for the history.');

const MAP_MOST = 1000;
export const JsonObjectValue = z
  .custom<JsonObject>((value) => isJsonObject(value) && isFinite_(value))
  .meta({
    type: 'object',
    additionalProperties: true,
  });

/** JSON text can say numbers that no double holds. */
function isFinite_(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.values(value).every(isFinite_);
}

const Tags = z.record(z.string().min(1).max(250), z.string().max(5000));
const Metrics = z.record(z.string().min(1).max(250), z.number());
const bounded = <T extends z.ZodType<object>>(map: T) =>
  map.refine((value) => Object.keys(value).length <= MAP_MOST, `at most ${MAP_MOST} entries`);

export const RecipeRef = named(
  'RecipeRef',
  z.object({
    digest: DigestText,
    pack: z.string().min(1).max(200),
    offset: z.number().int().min(0),
    length: z.number().int().min(0),
  }),
);

const Scalar = z.union([z.string(), z.number(), z.boolean()]);

export const Feature = named(
  'Feature',
  z.object({
    name: z.string().max(1000),
    type: z.enum(FEATURE_TYPES),
    description: z.string().optional(),
    categories: list(Scalar).optional(),
    dtype: z.enum(DATATYPES).optional(),
    shape: list(z.number().int().min(-1)).optional(),
    nullable: z.boolean().optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    format: z.string().optional(),
    timezone: z.string().optional(),
    classes: list(Scalar).optional(),
  }),
);

export const Signature = named(
  'Signature',
  z.object({
    inputs: list(Feature),
    outputs: list(Feature),
    origin: z.enum(['metadata', 'graph', 'captured']),
    partial: z.boolean().optional(),
    system: z.string().max(100).optional(),
  }),
);

export const Lineage = named(
  'Lineage',
  z.object({
    git: z
      .object({
        commit: z.string(),
        branch: z.string().optional(),
        remote: z.string().optional(),
        dirty: z.boolean(),
        diff: z.string().optional(),
      })
      .optional(),
    notebook: z.string().optional(),
    run: z.string().optional(),
    data: list(
      z.object({
        name: z.string(),
        digest: z.string().optional(),
        source: z.string().optional(),
        rows: z.number().optional(),
        columns: z.number().optional(),
      }),
    ).optional(),
    parents: list(z.string()).optional(),
    source: z.object({ address: z.string(), revision: z.string(), objectVersion: z.string().optional() }).optional(),
    origins: list(
      z.object({
        registry: z.string().max(2000).describe('Address of the registry it came from, without secrets.'),
        store: z.string().max(200).optional(),
        model: z.string().max(200),
        modelId: z.string().max(300),
        number: z.number().int().min(1),
        publishedAt: Moment,
        publishedBy: z.string().max(500),
        event: DigestText.optional(),
        history: DigestText.optional().describe('The model’s history there, a content of this version.'),
        approvals: list(z.object({ purpose: z.string().max(200), by: z.string().max(500), at: Moment })).optional(),
      }),
    ).optional(),
  }),
);

export const Environment = named(
  'Environment',
  z.object({
    python: z.string().optional(),
    platform: z.string().optional(),
    requirements: list(z.string()),
  }),
);

const Serializer = z.object({ name: z.string(), executesCode: z.boolean(), reason: z.string().optional() });

const described = {
  manifest: DigestText,
  sizeBytes: z.number().int().min(0),
  fileCount: z.number().int().min(0),
  flavor: z.string().min(1).max(100),
  label: z.string().min(1).max(100).optional(),
  description: z.string().max(20_000).optional(),
  author: z.string().max(1000).optional(),
  message: z.string().max(20_000).optional(),
  createdAt: Moment.optional(),
  signature: Signature.optional(),
  metrics: Metrics.optional(),
  params: JsonObjectValue.optional(),
  tags: Tags.optional(),
  lineage: Lineage.optional(),
  environment: Environment.optional(),
  serializer: Serializer.optional(),
  captured: DigestText.optional(),
  scan: z.literal('not scanned'),
};

export const VersionDraft = named(
  'VersionDraft',
  z.strictObject({
    ...described,
    metrics: bounded(Metrics).optional(),
    tags: bounded(Tags).optional(),
    recipe: RecipeRef.optional().describe('Where its contents lie. Without: only adds to the newest version.'),
    labelFrom: z.enum(['flag', 'metadata']).optional(),
    retired: z.boolean().optional(),
    upload: z.string().max(200).optional(),
    modelId: z.string().max(200).optional(),
  }),
);

const Status = z.enum(['active', 'retired', 'deleted']);

export const VersionRecord = named(
  'Version',
  z.object({
    ...described,
    recipe: RecipeRef,
    model: z.string(),
    modelId: z.string(),
    number: z.number().int().min(1),
    status: Status,
    publishedAt: Moment,
    publishedBy: z.string(),
    stage: z.string().optional(),
    aliases: list(z.string()),
    labelShadowed: z.boolean().optional(),
    card: z.string().optional(),
  }),
);

export const VersionSlim = named(
  'VersionSummary',
  z.object({
    number: z.number().int().min(1),
    manifest: DigestText,
    label: z.string().optional(),
    status: Status,
    publishedAt: Moment,
    createdAt: Moment.optional(),
    flavor: z.string(),
    sizeBytes: z.number().int().min(0),
    metrics: z.record(z.string(), z.number()).optional(),
    stage: z.string().optional(),
  }),
);

export const Model = named(
  'Model',
  z.object({
    name: z.string(),
    id: z.string(),
    createdAt: Moment,
    updatedAt: Moment,
    description: z.string().optional(),
    tags: z.record(z.string(), z.string()),
    aliases: z.record(z.string(), z.number().int()).describe('Alias to version number.'),
    versions: z.number().int().min(0).describe('Number of versions that are not deleted.'),
    latest: VersionSlim.optional(),
  }),
);

export const EnsuredModel = named(
  'EnsuredModel',
  z.object({
    id: z.string(),
    base: list(RecipeRef).describe('Recipes of its newest three versions.'),
    isNew: z.boolean(),
  }),
);

export const Resolved = named(
  'Resolved',
  z.object({
    ref: z.string().describe('What was asked.'),
    model: z.string(),
    modelId: z.string(),
    number: z.number().int().min(1),
    label: z.string().optional(),
    manifest: DigestText,
    recipe: RecipeRef,
    seq: z.number().int().min(0).describe('Event of the model’s log that this answer reflects.'),
  }),
);

export const AliasRecord = named(
  'Alias',
  z.object({ alias: z.string(), number: z.number().int().min(1), model: z.string(), manifest: DigestText }),
);

export const AliasMove = named(
  'AliasMove',
  z.object({
    alias: z.string(),
    from: z.number().int().nullable(),
    to: z.number().int().nullable(),
  }),
);

export const HistoryEntry = named(
  'HistoryEntry',
  z.object({
    seq: z.number().int().min(1),
    digest: DigestText,
    at: Moment,
    actor: z.string(),
    kind: z.string(),
    summary: z.string(),
    reason: z.string().optional(),
    body: JsonObjectValue,
    claimed: z.boolean().optional().describe('Nobody has proved to be this actor.'),
  }),
);

export const VersionChanges = z.strictObject({
  description: z.string().max(20_000).optional(),
  card: z.string().max(500_000).optional(),
  tags: bounded(z.record(z.string().min(1).max(250), z.string().max(5000).nullable())).optional(),
  metrics: bounded(Metrics).optional(),
  reason: Reason.optional(),
});

export const ModelChanges = z.strictObject({
  description: z.string().max(20_000).optional(),
  tags: bounded(z.record(z.string().min(1).max(250), z.string().max(5000).nullable())).optional(),
  reason: Reason.optional(),
});

export const Problem = named(
  'Problem',
  z
    .object({
      type: z.string(),
      title: z.string(),
      status: z.number().int(),
      code: z.enum(ERROR_CODES).describe('The code that the command line shows, too.'),
      detail: z.string(),
      hint: z.string().optional().describe('The command or request that fixes it.'),
      nearest: z.string().optional().describe('What exists and was perhaps meant.'),
      details: z.record(z.string(), z.unknown()).optional(),
    })
    .describe('An error (RFC 9457).'),
);

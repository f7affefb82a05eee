import type { EnvironmentSummary, GitState, Lineage, PlainSource, VersionOrigin } from '../capture.ts';
import type { JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import type { Feature, Signature } from '../signature.ts';
import { DATATYPES, FEATURE_TYPES } from '../signature.ts';
import { Fields, compact } from './fields.ts';
import { parseRecipeRef } from './model-fold.ts';
import type { VersionDraft } from './registry.ts';

/** What a `version-published` event says. */
export interface PublishedVersion extends Omit<VersionDraft, 'labelFrom' | 'upload' | 'modelId'> {
  readonly number: number;
  readonly labelShadowed?: boolean;
}

/** What a `version-updated` event says. */
export interface VersionUpdate {
  readonly number: number;
  readonly description?: string;
  readonly card?: string;
  readonly label?: string;
  readonly tags?: Readonly<Record<string, string | null>>;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Reads the body of a `version-published` event. Throws `integrity` naming the file. */
export function parsePublished(body: JsonObject, file: string): PublishedVersion {
  const fields = new Fields(body, file);
  return compact({
    number: fields.positive('number'),
    manifest: fields.digest('manifest'),
    recipe: parseRecipeRef(fields.inner('recipe')),
    sizeBytes: fields.count('sizeBytes'),
    fileCount: fields.count('fileCount'),
    flavor: fields.text('flavor'),
    label: fields.optionalText('label'),
    labelShadowed: fields.optionalBoolean('labelShadowed'),
    description: fields.optionalText('description'),
    author: fields.optionalText('author'),
    message: fields.optionalText('message'),
    createdAt: fields.optionalText('createdAt'),
    retired: fields.optionalBoolean('retired'),
    signature: optional(fields, 'signature', parseSignature),
    metrics: fields.optionalNumberMap('metrics'),
    params: fields.optionalObject('params'),
    tags: fields.optionalTextMap('tags'),
    lineage: optional(fields, 'lineage', parseLineage),
    environment: optional(fields, 'environment', parseEnvironment),
    serializer: optional(fields, 'serializer', parseSerializer),
    captured: fields.raw('captured') === undefined ? undefined : fields.digest('captured'),
    scan: fields.oneOf('scan', ['not scanned'] as const),
  });
}

/** Reads the body of a `version-updated` event. Throws `integrity` naming the file. */
export function parseUpdate(body: JsonObject, file: string): VersionUpdate {
  const fields = new Fields(body, file);
  return compact({
    number: fields.positive('number'),
    description: fields.optionalText('description'),
    card: fields.optionalText('card'),
    label: fields.optionalText('label'),
    tags: fields.optionalTagChanges('tags'),
    metrics: fields.optionalNumberMap('metrics'),
  });
}

function optional<T>(fields: Fields, key: string, parse: (inner: Fields) => T): T | undefined {
  return fields.raw(key) === undefined ? undefined : parse(fields.inner(key));
}

function parseSignature(fields: Fields): Signature {
  return compact({
    inputs: fields.objects('inputs').map(parseFeature),
    outputs: fields.objects('outputs').map(parseFeature),
    origin: fields.oneOf('origin', ['metadata', 'graph', 'captured'] as const),
    partial: fields.optionalBoolean('partial'),
    system: fields.optionalText('system'),
  });
}

function parseFeature(fields: Fields): Feature {
  return compact({
    name: fields.text('name'),
    type: fields.oneOf('type', FEATURE_TYPES),
    description: fields.optionalText('description'),
    categories: scalars(fields, 'categories'),
    dtype: fields.raw('dtype') === undefined ? undefined : fields.oneOf('dtype', DATATYPES),
    shape: shape(fields),
    nullable: fields.optionalBoolean('nullable'),
    min: fields.optionalNumber('min'),
    max: fields.optionalNumber('max'),
    format: fields.optionalText('format'),
    timezone: fields.optionalText('timezone'),
    classes: scalars(fields, 'classes'),
  });
}

function scalars(fields: Fields, key: string): (string | number | boolean)[] | undefined {
  return fields.optionalList(key)?.map((value) => {
    const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return scalar ? value : fields.fail(key, 'a list of texts, numbers or booleans');
  });
}

function shape(fields: Fields): number[] | undefined {
  return fields.optionalList('shape')?.map((value) => {
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= -1
      ? value
      : fields.fail('shape', 'a list of whole numbers from -1');
  });
}

function parseLineage(fields: Fields): Lineage {
  return compact({
    git: optional(fields, 'git', parseGit),
    notebook: fields.optionalText('notebook'),
    run: fields.optionalText('run'),
    data: fields.raw('data') === undefined ? undefined : fields.objects('data').map(parseData),
    parents: fields.raw('parents') === undefined ? undefined : fields.texts('parents'),
    source: optional(fields, 'source', parseSource),
    origins: fields.raw('origins') === undefined ? undefined : fields.objects('origins').map(parseOrigin),
  });
}

/** Reads where a version was before. Throws `integrity` naming the file. */
export function parseOrigin(fields: Fields): VersionOrigin {
  return compact({
    registry: fields.text('registry'),
    store: fields.optionalText('store'),
    model: fields.text('model'),
    modelId: fields.text('modelId'),
    number: fields.positive('number'),
    publishedAt: fields.text('publishedAt'),
    publishedBy: fields.text('publishedBy'),
    event: fields.raw('event') === undefined ? undefined : fields.digest('event'),
    history: fields.raw('history') === undefined ? undefined : fields.digest('history'),
    approvals:
      fields.raw('approvals') === undefined
        ? undefined
        : fields.objects('approvals').map((approval) => ({
            purpose: approval.text('purpose'),
            by: approval.text('by'),
            at: approval.text('at'),
          })),
  });
}

function parseSource(fields: Fields): PlainSource {
  return compact({
    address: fields.text('address'),
    revision: fields.text('revision'),
    objectVersion: fields.optionalText('objectVersion'),
  });
}

function parseGit(fields: Fields): GitState {
  return compact({
    commit: fields.text('commit'),
    branch: fields.optionalText('branch'),
    remote: fields.optionalText('remote'),
    dirty: fields.boolean('dirty'),
    diff: fields.optionalText('diff'),
  });
}

function parseData(fields: Fields) {
  return compact({
    name: fields.text('name'),
    digest: fields.optionalText('digest'),
    source: fields.optionalText('source'),
    rows: fields.optionalNumber('rows'),
    columns: fields.optionalNumber('columns'),
  });
}

function parseEnvironment(fields: Fields): EnvironmentSummary {
  return compact({
    python: fields.optionalText('python'),
    platform: fields.optionalText('platform'),
    requirements: fields.texts('requirements'),
  });
}

function parseSerializer(fields: Fields) {
  return compact({
    name: fields.text('name'),
    executesCode: fields.boolean('executesCode'),
    reason: fields.optionalText('reason'),
  });
}

/** Writes a draft as the body of a `version-published` event. */
export function publishedBody(
  draft: VersionDraft,
  number: number,
  label: { shadowed: boolean },
  reason?: string,
): JsonObject {
  const { labelFrom: _, upload: __, modelId: ___, ...facts } = draft;
  const body: unknown = JSON.parse(
    JSON.stringify({
      ...facts,
      number,
      ...(label.shadowed ? { labelShadowed: true } : {}),
      ...(reason ? { reason } : {}),
    }),
  );
  if (!isJsonObject(body)) throw new TypeError('a draft is an object');
  return body;
}

import { isIngotError } from '@ingot/core/errors';
import { parseModelName, parseReference, type Reference } from '@ingot/core/ref';
import type { VersionRecord } from '@ingot/core/registry/registry';
import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { listDeployments } from '../deployments/list-deployments.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { StoredRecord } from '../index/version-rows.ts';
import type { LineageReader } from './lineage.ts';

/** What lineage is read from at a server. */
export interface IndexedLineageOptions {
  readonly database: Database;
  readonly index: Pick<ModelIndex, 'resolveAsOf'>;
  /** Says whether the asker may know of a model. */
  readonly mayRead: (model: string) => boolean;
  readonly now: () => Date;
}

interface Row {
  readonly name: string;
  readonly record: string;
  readonly aliases: string | null;
}

/** Reads lineage from the index: as far as the asker may read. */
export function indexedLineage({ database, index, mayRead, now }: IndexedLineageOptions): LineageReader {
  const { kind, index: tables } = database;
  const versionsBy = async (where: ReturnType<typeof sql>, limit: number): Promise<VersionRecord[]> => {
    const found: VersionRecord[] = [];
    for (let offset = 0; found.length < limit; offset += PAGE) {
      const { rows } = await sql<Row>`
        select m.name as name, v.record as record, (${aliasesSql(kind)}) as aliases
        from versions as v join models as m on m.id = v.model_id
        where m.closed = 0 and m.name is not null and v.status <> 'deleted' and (v.model_id, v.number) in (${where})
        order by v.published_at, v.model_id, v.number limit ${PAGE} offset ${offset}`.execute(tables);
      found.push(...rows.filter(({ name }) => mayRead(name)).map(recordOf));
      if (rows.length < PAGE) break;
    }
    return found.slice(0, limit);
  };
  const versionAt = async (reference: Reference, at: string): Promise<VersionRecord | undefined> => {
    if (!mayRead(reference.name)) return undefined;
    try {
      const { modelId, number } = await index.resolveAsOf(reference, new Date(at));
      const one = sql`select ${modelId}, cast(${number} as bigint)`;
      return (await versionsBy(one, 1))[0];
    } catch (error) {
      // The parent, or its model, is gone.
      if (isIngotError(error, 'model-not-found', 'version-not-found', 'alias-not-found')) return undefined;
      throw error;
    }
  };
  return {
    versionAt,
    async childrenOf({ modelId, number, model }, limit) {
      const numbered = await versionsBy(
        sql`select model_id, number from version_parents
          where parent_model_id = ${modelId} and parent_number = cast(${number} as bigint)`,
        limit,
      );
      // By alias or label: what that meant when the child was published.
      const vague = await versionsBy(
        sql`select model_id, number from version_parents where parent_model_id = ${modelId} and parent_number is null`,
        VAGUE,
      );
      const children = [...numbered];
      for (const child of vague)
        if (children.length < limit && (await namesAsParent(child, { modelId, number, model }, index)))
          children.push(child);
      return children;
    },
    trainedOn: (digests, limit) =>
      versionsBy(sql`select model_id, number from version_data where digest in (${sql.join(digests)})`, limit),
    async serversOf({ modelId, number }, limit) {
      const page = await listDeployments(database, { models: [modelId], number, live: true, limit, now: now() });
      return page.items.map(({ server: { id, host, address }, since }) => ({ id, host, address, since }));
    },
  };
}

const PAGE = 200;
const VAGUE = 200;

function aliasesSql(kind: Database['kind']) {
  const all = sql.raw(kind === 'sqlite' ? "group_concat(alias, ' ')" : "string_agg(alias, ' ' order by alias)");
  return sql`select ${all} from aliases where aliases.model_id = v.model_id and aliases.number = v.number`;
}

function recordOf({ name, record, aliases }: Row): VersionRecord {
  const stored: StoredRecord = JSON.parse(record);
  return { ...stored, model: parseModelName(name), aliases: aliases === null ? [] : aliases.split(' ').sort() };
}

async function namesAsParent(
  { publishedAt, lineage }: VersionRecord,
  parent: Pick<VersionRecord, 'model' | 'modelId' | 'number'>,
  index: IndexedLineageOptions['index'],
): Promise<boolean> {
  for (const text of lineage?.parents ?? []) {
    const number = await numberMeant(text, parent, { index, at: new Date(publishedAt) });
    if (number === parent.number) return true;
  }
  return false;
}

async function numberMeant(
  text: string,
  { model, modelId }: Pick<VersionRecord, 'model' | 'modelId'>,
  { index, at }: { readonly index: IndexedLineageOptions['index']; readonly at: Date },
): Promise<number | undefined> {
  try {
    const reference = parseReference(text);
    if (reference.selector.kind === 'version') return undefined;
    // The model may have had another name then.
    const resolved = await index.resolveAsOf({ ...reference, name: model }, at);
    return resolved.modelId === modelId ? resolved.number : undefined;
  } catch (error) {
    if (
      isIngotError(
        error,
        'invalid-reference',
        'invalid-name',
        'model-not-found',
        'version-not-found',
        'alias-not-found',
      )
    )
      return undefined;
    throw error;
  }
}

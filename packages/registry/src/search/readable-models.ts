import { parseModelName } from '@ingot/core/ref';
import type { Authorizer, Identity } from '../access/identity.ts';
import type { Database } from '../database/database.ts';

/** Ids of the models that an identity may read; undefined: of all that there are. */
export async function readableModels(
  { authorizer, database }: { readonly authorizer: Authorizer; readonly database: Pick<Database, 'index'> },
  identity: Identity,
): Promise<readonly string[] | undefined> {
  if (authorizer.may(identity, 'read', { kind: 'server' })) return undefined;
  const models = await database.index
    .selectFrom('models')
    .select(['id', 'name'])
    .where('name', 'is not', null)
    .execute();
  return models.flatMap(({ id, name }) => {
    if (name === null) return [];
    return authorizer.may(identity, 'read', { kind: 'model', model: parseModelName(name) }) ? [id] : [];
  });
}

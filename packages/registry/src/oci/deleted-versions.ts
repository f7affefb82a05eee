import { isOciDigest } from '@ingot/core/oci/digest';
import type { Services } from '../services.ts';
import type { ManifestRows } from './manifest-rows.ts';

/** Numbers that one statement names. */
const AT_ONCE = 200;

/**
 * Forgets the manifests that were pushed of versions which are deleted by now, by whatever way, so that nothing holds
 * their blobs any more. What the index does not know is left alone: it may be built anew just now.
 * @returns how many manifests went.
 */
export async function forgetDeletedVersions(
  { own, index }: Pick<Services['database'], 'own' | 'index'>,
  rows: Pick<ManifestRows, 'remove'>,
): Promise<number> {
  const models = await own
    .selectFrom('oci_manifests')
    .select('model_id')
    .distinct()
    .where('model_id', 'is not', null)
    .execute();
  let gone = 0;
  for (const { model_id: id } of models) {
    const deleted = await index
      .selectFrom('versions')
      .innerJoin('models', 'models.id', 'versions.model_id')
      .select('versions.number')
      .where('models.id', '=', id)
      .where(({ or, eb }) => or([eb('versions.status', '=', 'deleted'), eb('models.closed', '=', 1)]))
      .execute();
    const numbers = deleted.map(({ number }) => Number(number));
    for (let n = 0; n < numbers.length; n += AT_ONCE) {
      const manifests = await own
        .selectFrom('oci_manifests')
        .select(['repository', 'sha256'])
        .where('model_id', '=', id)
        .where('number', 'in', numbers.slice(n, n + AT_ONCE))
        .execute();
      for (const { repository, sha256 } of manifests) {
        if (isOciDigest(sha256) && (await rows.remove(repository, { sha256 }))) gone += 1;
      }
    }
  }
  return gone;
}

import { prepared } from '../database/prepared.ts';
import type { Entry, TrackingContext } from './context.ts';

/** What of a run goes with a version that was made in it. */
export interface RunFacts {
  /** The latest value of each that is a number. */
  readonly metrics: readonly { readonly key: string; readonly value: number }[];
  readonly params: readonly Entry[];
  /** The data sets that it used, in order. */
  readonly data: readonly { readonly name: string; readonly digest: string; readonly source: string }[];
}

interface Part {
  readonly part: 'metric' | 'param' | 'data' | 'none';
  readonly key: string;
  readonly value: string;
  readonly source: string;
  /** A metric's value, or a data set's place. */
  readonly number: number;
}

const partsOf = prepared<Part>(`
  select 'none' as part, '' as key, '' as value, '' as source, cast(0 as double precision) as number
    from tracking_runs where id = ?
  union all select 'metric', key, '', '', value from tracking_latest_metrics where run_id = ? and is_nan = 0
  union all select 'param', key, value, '', 0 from tracking_run_params where run_id = ?
  union all select 'data', d.name, d.digest, d.source, u.place from tracking_run_datasets as u
    join tracking_datasets as d on d.id = u.dataset_id where u.run_id = ?`);

/** Reads what of a run goes with its versions; undefined when there is no such run. One query. */
export async function runFacts({ database }: TrackingContext, id: string): Promise<RunFacts | undefined> {
  const { rows } = await partsOf(database.own, [id, id, id, id]);
  if (rows.length === 0) return undefined;
  const of = (part: Part['part']) => rows.filter((row) => row.part === part);
  return {
    metrics: of('metric').flatMap(({ key, number: value }) => (Number.isFinite(value) ? [{ key, value }] : [])),
    params: of('param').map(({ key, value }) => ({ key, value })),
    data: of('data')
      .sort((a, b) => a.number - b.number)
      .map(({ key: name, value: digest, source }) => ({ name, digest, source })),
  };
}

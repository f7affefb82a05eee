import type { BundleVersion, VersionFacts } from './bundle-format.ts';
import type { Digest } from './digest.ts';
import { canonicalJson } from './json.ts';
import { standingApprovals } from './promote-origin.ts';
import { factsOf } from './promote-version.ts';
import type { StoredEvent } from './registry/events.ts';
import { withUpdate } from './registry/record.ts';
import { parsePublished, parseUpdate } from './registry/version-body.ts';

/** What a history tells, so that what is said beside it can be held against it. */
export interface ToldHistory {
  readonly events: readonly StoredEvent[];
  /** The events that published versions, by their digests. */
  readonly published: ReadonlyMap<Digest, StoredEvent>;
  /** What each alias names at the end. */
  readonly aliases: ReadonlyMap<string, number>;
}

/** Reads what the events of a model tell. */
export function readTold(events: readonly StoredEvent[]): ToldHistory {
  const published = new Map<Digest, StoredEvent>();
  const aliases = new Map<string, number>();
  for (const event of events) {
    const { head, body, digest } = event;
    if (head.kind === 'version-published') published.set(digest, event);
    if (typeof body?.alias !== 'string') continue;
    if (head.kind === 'alias-set' && typeof body.number === 'number') aliases.set(body.alias, body.number);
    if (head.kind === 'alias-removed') aliases.delete(body.alias);
  }
  return { events, published, aliases };
}

/**
 * Says whether a history tells a version as it is said to be, with all that was changed since; what was erased cannot be
 * compared.
 * @throws IngotError `integrity` for an event that cannot be read.
 */
export function tellsOf(told: ToldHistory, { origin, facts, card }: BundleVersion): boolean {
  const event = origin.event === undefined ? undefined : told.published.get(origin.event);
  if (event === undefined || event.head.actor !== origin.publishedBy || event.head.at !== origin.publishedAt)
    return false;
  if (event.body === undefined) return true;
  const { number, manifest } = origin.number === event.body.number ? { ...origin, ...facts } : {};
  if (number === undefined || manifest === undefined) return false;
  const there = toldAs(parsePublished(event.body, WHAT), event.head.at, told.events);
  const approvals = standingApprovals(told.events, { number, manifest });
  return (
    there.card === card &&
    canonicalJson(there.facts) === canonicalJson(facts) &&
    canonicalJson(approvals) === canonicalJson(origin.approvals ?? [])
  );
}

const WHAT = 'the history of the version';

/** A version as its publication and the changes after it tell. */
function toldAs(
  published: ReturnType<typeof parsePublished>,
  publishedAt: string,
  events: readonly StoredEvent[],
): { readonly facts: VersionFacts; readonly card: string | undefined } {
  const { number, retired, labelShadowed: _, recipe: __, ...said } = published;
  let record: Omit<typeof said, 'card'> & { readonly card?: string | undefined } = said;
  let isRetired = retired === true;
  for (const { head, body } of events) {
    if (body?.number !== number) continue;
    if (head.kind === 'version-retired') isRetired = true;
    if (head.kind !== 'version-updated') continue;
    const update = parseUpdate(body, WHAT);
    record = { ...withUpdate(record, update), ...(update.label === undefined ? {} : { label: update.label }) };
  }
  const { card, ...rest } = record;
  const status = isRetired ? ('retired' as const) : ('active' as const);
  return { facts: factsOf({ ...rest, status, publishedAt }), card };
}

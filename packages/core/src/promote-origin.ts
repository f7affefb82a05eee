import type { VersionOrigin } from './capture.ts';
import { type Digest, digestOf } from './digest.ts';
import type { ModelName } from './ref.ts';
import type { StoredEvent } from './registry/events.ts';
import { encodeLog, parseLog } from './registry/log-documents.ts';
import type { Registry, VersionRecord } from './registry/registry.ts';

/** A registry that versions leave, as it is told of where they arrive. */
export interface OriginRegistry {
  readonly registry: Pick<Registry, 'log'>;
  /** Its address, without secrets. */
  readonly address: string;
  /** Id of its store, where that is known. */
  readonly store?: string;
}

/** A model's history that was read and checked. */
export interface CheckedHistory {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly events: readonly StoredEvent[];
}

/**
 * Reads a model's whole history and checks the chain.
 * @throws IngotError `tampered`, and as registries do.
 */
export async function readHistory(
  { registry }: Pick<OriginRegistry, 'registry'>,
  model: ModelName,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<CheckedHistory> {
  const documents = [];
  for await (const document of registry.log(model, { signal: options.signal })) documents.push(document);
  const bytes = encodeLog(documents);
  return { bytes, digest: digestOf(bytes), events: parseLog(bytes, `the history of "${model}"`) };
}

/** Says where a version was published, and which approvals stand there. */
export function originOf(
  { address, store }: OriginRegistry,
  record: VersionRecord,
  history: CheckedHistory,
): VersionOrigin {
  const { model, modelId, number, publishedAt, publishedBy } = record;
  const event = history.events.find(
    ({ head, body }) => head.kind === 'version-published' && body?.number === number,
  )?.digest;
  const approvals = standingApprovals(history.events, record);
  return {
    registry: address,
    ...(store === undefined ? {} : { store }),
    model,
    modelId,
    number,
    publishedAt,
    publishedBy,
    ...(event === undefined ? {} : { event }),
    history: history.digest,
    ...(approvals.length === 0 ? {} : { approvals }),
  };
}

/** Approvals of this number and manifest, without those that their givers have taken back. */
export function standingApprovals(
  events: readonly StoredEvent[],
  { number, manifest }: Pick<VersionRecord, 'number' | 'manifest'>,
): NonNullable<VersionOrigin['approvals']> {
  const given = new Map<string, { purpose: string; by: string; at: string }>();
  for (const { head, body } of events) {
    if (body?.number !== number || body.manifest !== manifest) continue;
    const purpose = typeof body.alias === 'string' ? `@${body.alias}` : String(body.stage);
    const key = JSON.stringify([purpose, head.actor]);
    if (head.kind === 'approval-given') given.set(key, { purpose, by: head.actor, at: head.at });
    if (head.kind === 'approval-withdrawn') given.delete(key);
  }
  return [...given.values()];
}

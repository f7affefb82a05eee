import { isIngotError } from '@ingot/core/errors';
import { parseReference, type Reference } from '@ingot/core/ref';
import type { Registry, VersionRecord } from '@ingot/core/registry/registry';
import type { LineageReader } from './lineage.ts';

type Read = Pick<Registry, 'models' | 'model' | 'version' | 'history'>;

/** Reads lineage from a registry without an index: looking down reads every version once. */
export function registryLineage(registry: Read, options: { readonly signal?: AbortSignal } = {}): LineageReader {
  let everything: Promise<readonly VersionRecord[]> | undefined;
  const all = (): Promise<readonly VersionRecord[]> => {
    everything ??= readAll(registry, options);
    return everything;
  };
  const versionAt = async (reference: Reference, at: string): Promise<VersionRecord | undefined> => {
    try {
      const number = await numberAt(registry, reference, { at, ...options });
      const selector = number === undefined ? reference.selector : ({ kind: 'version', number } as const);
      return await registry.version({ name: reference.name, selector }, options);
    } catch (error) {
      // The parent, or its model, is gone.
      if (isIngotError(error, 'model-not-found', 'version-not-found', 'alias-not-found')) return undefined;
      throw error;
    }
  };
  return {
    versionAt,
    async childrenOf(parent, limit) {
      const children: VersionRecord[] = [];
      for (const version of await all()) {
        if (children.length >= limit) break;
        for (const text of version.lineage?.parents ?? []) {
          const reference = referenceIn(text);
          if (reference?.name !== parent.model) continue;
          const meant = await versionAt(reference, version.publishedAt);
          if (meant?.modelId === parent.modelId && meant.number === parent.number) {
            children.push(version);
            break;
          }
        }
      }
      return children;
    },
    async trainedOn(digests, limit) {
      const wanted = new Set(digests);
      const trained = (await all()).filter(({ lineage }) =>
        (lineage?.data ?? []).some(({ digest }) => digest !== undefined && wanted.has(digest)),
      );
      return trained.slice(0, limit);
    },
    serversOf: async () => [],
  };
}

async function readAll(registry: Read, options: { readonly signal?: AbortSignal }): Promise<readonly VersionRecord[]> {
  const found: VersionRecord[] = [];
  for await (const { name } of registry.models(options)) {
    const { all } = await registry.model(name, options);
    for (const { number, status } of all)
      if (status !== 'deleted')
        found.push(await registry.version({ name, selector: { kind: 'version', number } }, options));
  }
  return found.sort((a, b) => (a.publishedAt < b.publishedAt ? -1 : Number(a.publishedAt > b.publishedAt)));
}

/** The version that an alias, or no selector at all, meant then; undefined: the selector means the same at any time. */
async function numberAt(
  registry: Read,
  { name, selector }: Reference,
  { at, ...options }: { readonly at: string; readonly signal?: AbortSignal },
): Promise<number | undefined> {
  if (selector.kind !== 'alias' && selector.kind !== 'latest') return undefined;
  let number: number | undefined;
  for await (const entry of registry.history(name, options)) {
    if (entry.at > at) break;
    const { kind, body } = entry;
    const isMove = selector.kind === 'alias' && body.alias === selector.alias;
    if (isMove && kind === 'alias-removed') number = undefined;
    const isNumber = (isMove && kind === 'alias-set') || (selector.kind === 'latest' && kind === 'version-published');
    if (isNumber && typeof body.number === 'number') number = body.number;
  }
  return number;
}

function referenceIn(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    // An address.
    if (isIngotError(error, 'invalid-reference', 'invalid-name')) return undefined;
    throw error;
  }
}

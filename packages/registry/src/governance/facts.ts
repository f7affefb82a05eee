import type { ModelName } from '@ingot/core/ref';
import type { VersionDraft, VersionRecord } from '@ingot/core/registry/registry';
import { factsOf as searchFactsOf, type Facts, type FurtherFacts } from '../search/facts.ts';
import type { Source } from '../search/fields.ts';

/** One fact of a version. */
export type Fact = string | number | boolean;

/** What is judged: a version, or what is about to become one. */
export type Judged = Omit<VersionDraft, 'recipe' | 'labelFrom' | 'upload' | 'modelId' | 'retired'> &
  Partial<Pick<VersionRecord, 'model' | 'number' | 'stage' | 'status' | 'aliases' | 'publishedAt' | 'publishedBy'>>;

/** Says something of a version under a name: `scan`, `signatures`. Gives every value, none where there is none. */
export type FactSource = (judged: Judged, key: string) => readonly Fact[];

/** Sources of facts by the name that comes before the dot; the key is empty where there is no dot. */
export type FactSources = Readonly<Record<string, FactSource>>;

/** What is known of a version that is judged, and of those that it was made from. */
export interface ConditionFacts {
  readonly version: Facts;
  readonly parents: readonly Facts[];
  /** Facts of sources besides, by name and key. */
  further(name: string, key: string): readonly Fact[];
}

/** What facts are made of, besides the version. */
export interface FactsOptions extends FurtherFacts {
  readonly model: ModelName;
  /** When what is not published yet is published. */
  readonly now: Date;
  /** Who publishes it. Default: nobody is known. */
  readonly by?: string | undefined;
  readonly parents?: readonly Judged[];
  /** Default: `scan` and `signature`, from the version itself. */
  readonly sources?: FactSources;
}

const OWN_SOURCES: FactSources = {
  scan: ({ scan }) => [scan],
  signature: ({ signature }) => [signature !== undefined],
};

/** Makes the facts of a version. */
export function factsOf(judged: Judged, options: FactsOptions): ConditionFacts {
  const { parents = [], sources = {}, files, updatedAt, ...about } = options;
  const all: FactSources = { ...OWN_SOURCES, ...sources };
  const known: FurtherFacts = { ...(files !== undefined && { files }), ...(updatedAt !== undefined && { updatedAt }) };
  return {
    version: versionFacts(judged, about, known),
    // Of parents nobody asks for their files.
    parents: parents.map((parent) => versionFacts(parent, about, {})),
    further: (name, key) => (Object.hasOwn(all, name) ? (all[name]?.(judged, key) ?? []) : []),
  };
}

type About = Pick<FactsOptions, 'model' | 'now' | 'by'>;

function versionFacts(judged: Judged, { model, now, by }: About, known: FurtherFacts): Facts {
  const isDraft = judged.number === undefined;
  const facts = searchFactsOf(
    {
      ...judged,
      environment: withPython(judged.environment),
      model: judged.model ?? model,
      modelId: '',
      number: judged.number ?? 0,
      status: judged.status ?? 'active',
      aliases: judged.aliases ?? [],
      recipe: { digest: judged.manifest, pack: '', offset: 0, length: 0 },
      publishedAt: judged.publishedAt ?? now.toISOString(),
      publishedBy: judged.publishedBy ?? by ?? '',
    },
    isDraft ? { files: [], updatedAt: now.toISOString() } : known,
  );
  const values = (source: Source): readonly (string | number)[] | undefined => {
    if (isDraft && source.kind === 'scalar' && source.column === 'number') return [];
    if (source.column !== 'pin') return facts.values(source);
    // The pin as it was written; of a package without one, its name.
    const pins = facts.values({ ...source, column: 'version' }) ?? [];
    return pins.length > 0 ? pins : facts.values({ ...source, column: 'package' });
  };
  return { ...facts, values };
}

/** The version of Python is compared as those of packages are. */
function withPython(environment: Judged['environment']): NonNullable<Judged['environment']> {
  const { python, requirements = [], ...rest } = environment ?? {};
  const pinned = python !== undefined && /^\d/.test(python) ? [`python==${python}`] : [];
  return { ...rest, ...(python !== undefined && { python }), requirements: [...requirements, ...pinned] };
}

import { isDigest } from '@ingot/core/digest';
import { isIngotError } from '@ingot/core/errors';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import { type ModelName, parseAlias, parseLabel, type Selector } from '@ingot/core/ref';
import type { ModelView, ResolvedVersion } from '@ingot/core/registry/registry';
import type { Services } from '../services.ts';
import type { Attachments } from './attachments.ts';
import type { KeptManifest, ManifestRows } from './manifest-rows.ts';
import { modelOf, type RepositoryName } from './repository.ts';
import type { VersionPackages } from './version-packages.ts';

/** What a tag of a model names. */
export interface TaggedVersion {
  readonly name: ModelName;
  /** What the tag is: it says what may be done with it. */
  readonly kind: Selector['kind'];
  readonly version: ResolvedVersion;
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Says whether a text can be a tag. Source: distribution-spec, "Pulling manifests". */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Versions of models as manifests of the repositories that are called like them: their tags are what resolves to them. */
export class ModelVersions {
  readonly #services: Pick<Services, 'registry' | 'index'>;
  readonly #rows: ManifestRows;
  readonly #packages: VersionPackages;
  readonly #attachments: Attachments;

  constructor(
    services: Pick<Services, 'registry' | 'index'>,
    {
      rows,
      packages,
      attachments,
    }: { readonly rows: ManifestRows; readonly packages: VersionPackages; readonly attachments: Attachments },
  ) {
    this.#services = services;
    this.#rows = rows;
    this.#packages = packages;
    this.#attachments = attachments;
  }

  /** What a tag names in the model that a repository shows: a number, `latest`, an alias or a label. Undefined: nothing. */
  async tagged(repository: RepositoryName, tag: string): Promise<TaggedVersion | undefined> {
    const name = modelOf(repository);
    if (name === undefined) return undefined;
    for (const selector of selectorsOf(tag)) {
      const version = await this.#resolved(name, selector);
      if (version !== undefined) return { name, kind: selector.kind, version };
    }
    return undefined;
  }

  /** The version whose own manifest has a digest, or that became of a pushed one which has it. */
  async withDigest(repository: RepositoryName, digest: OciDigest): Promise<ResolvedVersion | undefined> {
    const name = modelOf(repository);
    if (name === undefined) return undefined;
    const own = isDigest(digest) ? await this.#resolved(name, { kind: 'digest', digest }) : undefined;
    if (own !== undefined) return own;
    const modelId = await this.#modelId(name);
    const pushed = modelId === undefined ? undefined : await this.#rows.ofModel(modelId, digest);
    if (pushed?.version !== undefined)
      return await this.#resolved(name, { kind: 'version', number: pushed.version.number });
    const attached = (await this.#attachments.of(repository)).byDigest.get(digest);
    return attached?.isVersion === true
      ? await this.#resolved(name, { kind: 'digest', digest: attached.subject })
      : undefined;
  }

  /** The manifest that a version is read by: the one that was pushed, else the package's own. */
  async manifestOf(version: ResolvedVersion): Promise<Omit<KeptManifest, 'repository'>> {
    const pushed = await this.#rows.ofVersion(version.modelId, version.number);
    if (pushed !== undefined) return pushed;
    return (await this.#attachments.pushedAs(version.model, version.manifest)) ?? (await this.ownManifestOf(version));
  }

  /** The manifest of the package, as the store has it. */
  async ownManifestOf(version: ResolvedVersion): Promise<Omit<KeptManifest, 'repository'>> {
    const { bytes, mediaType, digest } = await this.#packages.open(version);
    const { modelId, number } = version;
    return { bytes, mediaType, digest, sha256: digest, version: { modelId, number } };
  }

  /** A manifest of a version by digest: pushed, or the package's own. */
  async byDigest(repository: RepositoryName, digest: OciDigest): Promise<Omit<KeptManifest, 'repository'> | undefined> {
    const version = await this.withDigest(repository, digest);
    if (version === undefined) return undefined;
    if (version.manifest === digest) return { ...(await this.ownManifestOf(version)), digest };
    const pushed = await this.#rows.ofModel(version.modelId, digest);
    if (pushed !== undefined) return pushed;
    const attached = (await this.#attachments.of(repository)).byDigest.get(digest);
    return attached && (await this.#attachments.read(attached, digest));
  }

  /** All tags of the model that a repository shows, in no order; undefined where there is no such model. */
  async tags(repository: RepositoryName): Promise<readonly string[] | undefined> {
    const name = modelOf(repository);
    const model = name && (await this.#view(name));
    if (model === undefined) return undefined;
    const versions = model.all.filter(({ status }) => status !== 'deleted');
    const tags = [
      ...versions.map(({ number }) => String(number)),
      ...versions.flatMap(({ label }) => label ?? []),
      ...Object.keys(model.aliases),
      ...(model.latest === undefined ? [] : ['latest']),
    ];
    return [...new Set(tags)].filter(isTag);
  }

  async #view(name: ModelName): Promise<ModelView | undefined> {
    try {
      return await this.#services.registry.model(name);
    } catch (error) {
      if (isIngotError(error, 'model-not-found')) return undefined;
      throw error;
    }
  }

  async #modelId(name: ModelName): Promise<string | undefined> {
    try {
      return (await this.#services.index.placeOf(name)).id;
    } catch (error) {
      if (isIngotError(error, 'model-not-found')) return undefined;
      throw error;
    }
  }

  async #resolved(name: ModelName, selector: Selector): Promise<ResolvedVersion | undefined> {
    try {
      return await this.#services.registry.resolve({ name, selector });
    } catch (error) {
      if (isIngotError(error, 'model-not-found', 'version-not-found', 'alias-not-found')) return undefined;
      throw error;
    }
  }
}

/** What a tag can mean, in the order in which it is looked for. A whole number is always a version number. */
function selectorsOf(tag: string): readonly Selector[] {
  if (tag === 'latest') return [{ kind: 'latest' }];
  if (/^\d+$/.test(tag)) return numberIn(tag);
  const alias = accepted(() => parseAlias(tag));
  const label = accepted(() => parseLabel(tag));
  return [
    ...(alias === undefined ? [] : [{ kind: 'alias' as const, alias }]),
    ...(label === undefined ? [] : [{ kind: 'label' as const, label }]),
  ];
}

function numberIn(tag: string): readonly Selector[] {
  const number = Number(tag);
  return Number.isSafeInteger(number) && number > 0 && String(number) === tag ? [{ kind: 'version', number }] : [];
}

function accepted(parse: () => string): string | undefined {
  try {
    return parse();
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) return undefined;
    throw error;
  }
}

import { digestOf } from '@ingot/core/digest';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import type { Registry, VersionDraft, VersionRecord } from '@ingot/core/registry/registry';
import { storePackage } from '@ingot/core/store-package';

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactContext } from './artifact-context.ts';
import type { ArtifactPath } from './artifact-path.ts';
import {
  knownPackage,
  keepPackage,
  type PackagedAs,
  type PackagedTree,
  packageTree,
  type Packaging,
} from './stored-tree.ts';
import { parseVersionSource, treePathOf, type VersionSource } from './version-source.ts';

/** Says where the artifacts of runs and logged models are. */
export interface ArtifactPlaces {
  /** Address of a run's artifacts: `mlflow-artifacts:/0/<id>/artifacts`. Throws `not-found`. */
  run(id: string): Promise<string>;
  /** Address of a logged model's artifacts. Throws `not-found`. */
  loggedModel(id: string): Promise<string>;
}

/** Makes packages of what MLflow's clients have logged. */
export class ModelPackages {
  readonly #packaging: Packaging;
  readonly #registry: Pick<Registry, 'version'>;
  readonly #places: ArtifactPlaces;
  readonly #running = new Map<string, Promise<PackagedTree>>();

  constructor(packaging: Packaging, registry: Pick<Registry, 'version'>, places: ArtifactPlaces) {
    this.#packaging = packaging;
    this.#registry = registry;
    this.#places = places;
  }

  /**
   * Makes the package of a logged model that is READY, so that registering it finds it: a manifest, and a root
   * `roots/logged-models/<id>.json`. What cannot be a package stays what it is: files.
   */
  async loggedModelReady(id: string): Promise<void> {
    const path = treePathOf(await this.#places.loggedModel(id));
    if (path === undefined) return;
    try {
      await this.#ofTree(path, { kind: 'logged-models', id });
    } catch (error) {
      if (!isIngotError(error, 'not-found', 'invalid-package')) throw error;
    }
  }

  /**
   * Gives what the event of a version says that is made from a source (`models:/m-…`, `runs:/…`, `mlflow-artifacts:/…`,
   * `models:/name/version`): the package, its recipe and signature, environment, run. What lies elsewhere, or is no model,
   * becomes a version by reference: its one file says where it is.
   * @throws IngotError `not-found`, `model-not-found`, `version-not-found`, `invalid-request`, and as the store does.
   */
  async packageOf(source: string): Promise<VersionDraft> {
    const parsed = parseVersionSource(source);
    if (parsed.kind === 'version') return await this.#ofVersion(parsed.name, parsed.version);
    const found = await this.#pathOf(parsed);
    if (found === undefined) return await this.#reference(source);
    try {
      return await this.#ofTree(found.path, found.as);
    } catch (error) {
      if (!isIngotError(error, 'not-found', 'invalid-package')) throw error;
      return await this.#reference(source);
    }
  }

  async #pathOf(
    source: Exclude<VersionSource, { readonly kind: 'version' }>,
  ): Promise<{ readonly path: ArtifactPath; readonly as?: PackagedAs } | undefined> {
    switch (source.kind) {
      case 'tree': {
        const [, id] = /^[^/]+\/models\/(m-[0-9a-f]{32})\/artifacts$/.exec(source.path.text) ?? [];
        return { path: source.path, ...(id !== undefined && { as: { kind: 'logged-models' as const, id } }) };
      }
      case 'run': {
        const root = treePathOf(await this.#places.run(source.id));
        return root && { path: source.path === '' ? root : root.below(source.path) };
      }
      case 'logged-model': {
        const path = treePathOf(await this.#places.loggedModel(source.id));
        return path && { path, as: { kind: 'logged-models', id: source.id } };
      }
      case 'elsewhere':
        return undefined;
      default: {
        const never: never = source;
        throw new IngotError('unexpected', `a source of an unknown kind: ${String(never)}`);
      }
    }
  }

  /** Whoever asks while it is made waits for the same one. */
  async #ofTree(path: ArtifactPath, as: PackagedAs | undefined): Promise<PackagedTree> {
    const running = this.#running.get(path.text);
    if (running !== undefined) await running.catch(() => {});
    const making = packageTree(this.#packaging, path, as);
    this.#running.set(path.text, making);
    try {
      return await making;
    } finally {
      if (this.#running.get(path.text) === making) this.#running.delete(path.text);
    }
  }

  async #ofVersion(name: string, version: string): Promise<VersionDraft> {
    const selector = { kind: 'version', number: Number(version) } as const;
    return draftOf(await this.#registry.version({ name: parseModelName(name), selector }));
  }

  async #reference(source: string): Promise<VersionDraft> {
    const { context } = this.#packaging;
    const text = `${JSON.stringify({ format: 1, source })}\n`;
    const key = `reference:${digestOf(source)}`;
    const tree = digestOf(text);
    const known = await knownPackage(context, key, tree);
    if (known !== undefined) return known;
    await using folder = await scratchFolder(context);
    await writeFile(join(folder.path, 'reference.json'), text);
    return await keepPackage(context, { source: key, tree }, (upload) =>
      storePackage(folder.path, { upload, name: 'model', files: new Map(), scratch: context.scratch }),
    );
  }
}

async function scratchFolder({ scratch }: ArtifactContext): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(scratch, 'reference-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** What a version says of its package, for another version of the same. */
function draftOf(record: VersionRecord): VersionDraft {
  const { manifest, recipe, sizeBytes, fileCount, flavor, description, author, signature, metrics, params } = record;
  const { lineage, environment, serializer, captured, scan } = record;
  return {
    manifest,
    recipe,
    sizeBytes,
    fileCount,
    flavor,
    scan,
    ...(description !== undefined && { description }),
    ...(author !== undefined && { author }),
    ...(signature && { signature }),
    ...(metrics && { metrics }),
    ...(params && { params }),
    ...(lineage && { lineage }),
    ...(environment && { environment }),
    ...(serializer && { serializer }),
    ...(captured && { captured }),
  };
}

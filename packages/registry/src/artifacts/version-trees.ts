import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collect } from '@ingot/core/blob/bytes';
import type { ReadOptions, Recipe } from '@ingot/core/content/content-store';
import { type Digest, digestOf } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { openStoredPackage } from '@ingot/core/package/stored-package';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { Registry } from '@ingot/core/registry/registry';
import type { ArtifactContext } from './artifact-context.ts';
import type { ArtifactPath } from './artifact-path.ts';
import type { ArtifactEntry } from './artifact-rows.ts';
import { CODE_FOLDER, LOADER_MODULE, mlflowFiles, PACKAGE_FOLDER } from './mlmodel.ts';
import { LOADER_SOURCE } from './mlflow-loader.ts';

/** Where versions begin in the tree: no experiment is called so. */
const VERSIONS = 'versions';
const TREES_KEPT = 64;
const MAX_FLAVOR_BYTES = 1024 * 1024;

/** A file of a version as MLflow's clients see it. */
export interface VersionFile {
  readonly digest: Digest;
  readonly sizeBytes: number;
  read(options?: ReadOptions): AsyncIterable<Uint8Array>;
}

/** A version as a directory that MLflow loads. */
export interface VersionTree {
  readonly model: ModelName;
  readonly files: ReadonlyMap<string, VersionFile>;
}

/** What this works with. */
export interface VersionTreesContext extends Pick<ArtifactContext, 'store' | 'database'> {
  readonly registry: Pick<Registry, 'version'>;
  /** Folder of the Python modules that load packages. Default: packages that MLflow cannot load by itself show no loader. */
  readonly workerDirectory?: string | undefined;
}

/**
 * Shows versions as directories that MLflow loads: one that MLflow wrote as it is; any other with an `MLmodel` file, its
 * requirements, signature and example, the package in `package/`, and in `code/` the modules that load it.
 */
export class VersionTrees {
  readonly #context: VersionTreesContext;
  readonly #trees = new Map<string, Promise<VersionTree>>();
  #loader: Promise<ReadonlyMap<string, VersionFile>> | undefined;

  constructor(context: VersionTreesContext) {
    this.#context = context;
  }

  /** The address of a version's files for MLflow's clients. */
  addressOf({ modelId, number }: { readonly modelId: string; readonly number: number }): string {
    return `mlflow-artifacts:/${VERSIONS}/${modelId}/${number}`;
  }

  /** Whether a path is one of versions and not of runs. */
  has({ segments }: ArtifactPath): boolean {
    return segments[0] === VERSIONS;
  }

  /** Whose version a path names: asked before anything of it is shown. Throws `not-found`. */
  async modelOf({ segments, text }: ArtifactPath): Promise<ModelName> {
    const row = await this.#context.database.index
      .selectFrom('models')
      .select('name')
      .where('id', '=', segments[1] ?? '')
      .where('closed', '=', 0)
      .executeTakeFirst();
    if (row?.name == null) throw noSuch(text);
    return parseModelName(row.name);
  }

  /** Finds a file. Throws `not-found`, and as reading the version does. */
  async file(path: ArtifactPath): Promise<VersionFile> {
    const file = (await this.#tree(path))?.files.get(path.segments.slice(3).join('/'));
    if (file === undefined) throw noSuch(path.text);
    return file;
  }

  /** Lists a directory; nothing for what is none. */
  async list(path: ArtifactPath): Promise<readonly ArtifactEntry[]> {
    const tree = await this.#tree(path);
    const below = path.segments
      .slice(3)
      .map((name) => `${name}/`)
      .join('');
    const entries = new Map<string, ArtifactEntry>();
    for (const [name, { sizeBytes }] of tree?.files ?? []) {
      if (!name.startsWith(below)) continue;
      const [first = '', ...more] = name.slice(below.length).split('/');
      entries.set(first, { name: first, sizeBytes: more.length === 0 ? sizeBytes : undefined });
    }
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #tree(path: ArtifactPath): Promise<VersionTree | undefined> {
    const [, modelId = '', number = ''] = path.segments;
    if (!/^[1-9]\d{0,9}$/.test(number)) return undefined;
    const model = await this.modelOf(path);
    // A name can move to another model; what a version of a model holds never changes.
    const key = `${modelId}/${number}/${model}`;
    const known = this.#trees.get(key);
    const opening = known ?? this.#open(model, Number(number));
    this.#trees.delete(key);
    this.#trees.set(key, opening);
    const [oldest] = this.#trees.keys();
    if (this.#trees.size > TREES_KEPT && oldest !== undefined) this.#trees.delete(oldest);
    try {
      return await opening;
    } catch (error) {
      this.#trees.delete(key);
      throw error;
    }
  }

  async #open(model: ModelName, number: number): Promise<VersionTree> {
    const { registry, store } = this.#context;
    const record = await registry.version({ name: model, selector: { kind: 'version', number } });
    const { recipe, description, captured } = await openStoredPackage(store.contents, record);
    const own = this.#ownFiles(recipe);
    if (own.has('MLmodel')) return { model, files: own };
    const flavorFile = await flavorOf(own);
    const example = captured?.capture.example?.inputs ?? [];
    const files = new Map<string, VersionFile>();
    for (const [path, text] of Object.entries(mlflowFiles({ record, description, flavorFile, example })))
      files.set(path, fileOf(Buffer.from(text)));
    for (const [path, file] of own) files.set(`${PACKAGE_FOLDER}/${path}`, file);
    this.#loader ??= this.#loaderFiles();
    for (const [path, file] of await this.#loader) files.set(path, file);
    return { model, files };
  }

  #ownFiles(recipe: Recipe): Map<string, VersionFile> {
    const { contents } = this.#context.store;
    const files = new Map<string, VersionFile>();
    for (const { role, path, digest, sizeBytes } of recipe.contents) {
      if (role !== 'file' || path === undefined) continue;
      files.set(path, { digest, sizeBytes, read: (options) => contents.read(recipe, digest, options) });
    }
    return files;
  }

  async #loaderFiles(): Promise<ReadonlyMap<string, VersionFile>> {
    const { workerDirectory } = this.#context;
    const files = new Map<string, VersionFile>();
    if (workerDirectory === undefined) return files;
    files.set(`${CODE_FOLDER}/${LOADER_MODULE}.py`, fileOf(Buffer.from(LOADER_SOURCE)));
    for (const folder of ['', 'flavors/']) {
      const names = await readdir(join(workerDirectory, folder));
      for (const name of names.filter((each) => each.endsWith('.py') && !NOT_NEEDED.has(folder + each)).sort())
        files.set(
          `${CODE_FOLDER}/_ingot_worker/${folder}${name}`,
          fileOf(await readFile(join(workerDirectory, folder, name))),
        );
    }
    return files;
  }
}

/** Modules of the worker that only its own process needs. */
const NOT_NEEDED: ReadonlySet<string> = new Set(['main.py', 'isolated.py', 'preloading.py', 'requirements_check.py']);

async function flavorOf(files: ReadonlyMap<string, VersionFile>): Promise<JsonObject> {
  const file = files.get('flavor.json');
  if (file === undefined || file.sizeBytes > MAX_FLAVOR_BYTES) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(await collect(file.read())).toString());
    return isJsonObject(value) ? value : {};
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // A file that is called so and is no JSON says nothing.
    return {};
  }
}

function fileOf(bytes: Uint8Array): VersionFile {
  return {
    digest: digestOf(bytes),
    sizeBytes: bytes.byteLength,
    read: async function* ({ range = { start: 0, end: bytes.byteLength } } = {}) {
      yield bytes.subarray(range.start, range.end);
    },
  };
}

function noSuch(path: string): IngotError {
  return new IngotError('not-found', `No such artifact: ${path}`);
}

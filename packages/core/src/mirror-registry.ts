/**
 * Where a registry server is at one end, nobody hands out a store's own files, and what is brought are versions: each
 * with its contents and the history it had, under the number it has, as an event of the other registry. That registry
 * stays one that others may write to, too. Between two stores {@link mirror} copies the files themselves.
 */

import { inParallel } from './content/sweep/in-parallel.ts';
import { IngotError, isIngotError } from './errors.ts';
import { type AliasOutcome, followAliases, followEdits, followModel } from './mirror-registry-edits.ts';
import { changedModels, type MirrorPlanOptions, type ModelPlan, planModel, stampOf } from './mirror-registry-plan.ts';
import type { OnProgress } from './progress.ts';
import { bringVersion, refuseOneRegistry } from './promote-bring.ts';
import { readHistory } from './promote-origin.ts';
import type { VersionRecord, VersionSlim } from './registry/registry.ts';
import { throwMirrorFailures } from './mirror-failures.ts';

/** Options of {@link mirrorRegistry}. */
export interface MirrorRegistryOptions extends MirrorPlanOptions {
  /** Says what would be brought and writes nothing. Default: false. */
  readonly dryRun?: boolean;
  readonly onProgress?: OnProgress | undefined;
}

/** What was found and brought; of a dry run, what would be. */
export interface MirrorRegistryResult {
  readonly source: string;
  readonly destination: string;
  readonly models: number;
  readonly versions: {
    readonly new: number;
    readonly there: number;
    /** Versions whose numbers are below one that is there already, which came without them. */
    readonly left: readonly string[];
  };
  readonly bytes: { readonly new: number; readonly stored: number };
  /** Versions that were there, and of which something else is said now. */
  readonly edited: number;
  readonly aliases: readonly AliasOutcome[];
  readonly dryRun: boolean;
}

const MODELS_AT_ONCE = 4;
const REASON = 'mirrored';

/**
 * Brings the versions, aliases and edits that a registry lacks of another. Done again it brings what is new, and what was
 * interrupted goes on where it was; a model that has not changed costs a line of a listing.
 * @throws IngotError `usage` when both are one; `conflict` for models that have numbers of their own there, `refused` and
 *   `forbidden` for what one may not write, `integrity`, `tampered` and `content-not-found` for what is damaged: all
 *   other models are brought first.
 * @example
 * const { versions } = await mirrorRegistry({ from: lab, to: plant });
 */
export async function mirrorRegistry(options: MirrorRegistryOptions): Promise<MirrorRegistryResult> {
  refuseOneRegistry(options, { operation: 'mirror' });
  const mirroring = new RegistryMirroring(options);
  await mirroring.run();
  const { from, to, dryRun = false } = options;
  return { source: from.address, destination: to.address, dryRun, ...mirroring.result };
}

/** One run. */
class RegistryMirroring {
  readonly #options: MirrorRegistryOptions;
  readonly #failures: IngotError[] = [];
  readonly #left: string[] = [];
  readonly #aliases: AliasOutcome[] = [];
  #models = 0;
  #new = 0;
  #there = 0;
  #edited = 0;
  #newBytes = 0;
  #storedBytes = 0;

  constructor(options: MirrorRegistryOptions) {
    this.#options = options;
  }

  get result(): Omit<MirrorRegistryResult, 'source' | 'destination' | 'dryRun'> {
    return {
      models: this.#models,
      versions: { new: this.#new, there: this.#there, left: this.#left.sort() },
      bytes: { new: this.#newBytes, stored: this.#storedBytes },
      edited: this.#edited,
      aliases: this.#aliases,
    };
  }

  async run(): Promise<void> {
    const { changed, unchanged } = await changedModels(this.#options);
    this.#models = changed.length + unchanged.length;
    for (const { versions } of unchanged) this.#there += versions;
    await inParallel(changed, MODELS_AT_ONCE, (name) =>
      this.#orFailed(async () => this.#bring(await planModel(name, this.#options))),
    );
    throwMirrorFailures(this.#failures);
  }

  async #orFailed(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // What is wrong with one model must not keep the others away.
      if (!isIngotError(error, ...OF_ONE_MODEL)) throw error;
      this.#failures.push(error);
    }
  }

  async #bring(plan: ModelPlan): Promise<void> {
    const { name, conflict, add, there, left } = plan;
    if (conflict !== undefined)
      throw new IngotError('conflict', conflict, {
        operation: 'mirror',
        hint: `ingot promote ${name} --from ${this.#options.from.address} --to ${this.#options.to.address}   (gives it the next number)`,
      });
    this.#there += there.length;
    this.#left.push(...left.map((number) => `${name}:${number}`));
    if (this.#options.dryRun === true) {
      this.#new += add.length;
      for (const { sizeBytes } of add) this.#newBytes += sizeBytes;
      return;
    }
    await this.#bringVersions(plan);
    this.#edited += await followEdits(plan, this.#options);
    const moved = this.#options.aliases === false ? [] : await followAliases(plan, this.#options);
    this.#aliases.push(...moved);
    const isWhole = moved.every(({ error }) => error === undefined);
    await followModel(plan, isWhole ? stampOf(plan.source, this.#options) : undefined, this.#options);
  }

  async #bringVersions({ name, add }: ModelPlan): Promise<void> {
    const { from, to, signal, onProgress } = this.#options;
    if (add.length === 0) return;
    const history = await readHistory(from, name, { signal });
    for (const { number } of add) {
      const source = await from.registry.version({ name, selector: { kind: 'version', number } }, { signal });
      // Deleted since it was listed.
      if (source.status === 'deleted') continue;
      const retired = source.status === 'retired';
      const options = { from, to, number, retired, reason: REASON, signal, onProgress };
      const { bytes } = await bringVersion({ source, history }, options).catch((error: unknown) =>
        this.#whereTwoRun(error, source),
      );
      this.#new += 1;
      this.#newBytes += bytes.new;
      this.#storedBytes += bytes.stored;
    }
  }

  /** Another run may have published it meanwhile. */
  async #whereTwoRun(error: unknown, source: Pick<VersionRecord, 'model' | 'number' | 'manifest'>) {
    if (!isIngotError(error, 'conflict')) throw error;
    const { all } = await this.#options.to.registry.model(source.model, { signal: this.#options.signal });
    const isIt = (version: VersionSlim): boolean =>
      version.number === source.number && version.manifest === source.manifest;
    if (!all.some(isIt)) throw error;
    return { bytes: { new: 0, stored: 0 } };
  }
}

const OF_ONE_MODEL = [
  'conflict',
  'content-not-found',
  'forbidden',
  'integrity',
  'invalid-package',
  'label-taken',
  'refused',
  'tampered',
] as const;

/**
 * An import makes a model with history of files that lie in a directory or bucket under names of people's own: each file
 * or directory becomes a version, in order, with its number, label and time. Running it again adds what is new.
 */

import type { ContentStore } from './content/content-store.ts';
import { IngotError, isIngotError } from './errors.ts';
import { filesBelow } from './import-files.ts';
import { type ImportItem, type ModelPlan, planModel, publishedBefore, sameSource } from './import-plan.ts';
import { pointersOf, type PointerPlan } from './import-pointers.ts';
import type { PackagePlan } from './package/package.ts';
import { packageError } from './package/read.ts';
import type { OnProgress } from './progress.ts';
import { pushPlan } from './push.ts';
import { type ModelName, parseModelName } from './ref.ts';
import type { Registry } from './registry/registry.ts';
import { findUnits, type FoundUnits } from './source/find-units.ts';
import { parsePlainAddress } from './source/plain-address.ts';
import type { SourcePlace } from './source/place.ts';
import { notFound } from './source/not-found.ts';
import { matchesOf, resolveSource } from './source/resolve-source.ts';
import type { SourceMatch } from './source/source-match.ts';
import { type SourceReader, sourceOf } from './source-reader.ts';

/** Options of {@link planImport} and {@link runImport}. */
export interface ImportOptions {
  readonly reader: SourceReader;
  readonly registry: Registry;
  /** Model name, when only one model is found. Default: from the names of files and directories. */
  readonly name?: string;
  /** Makes versions also of the earlier versions that the storage keeps of each file. Default: false. */
  readonly objectVersions?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** What an import will do. */
export interface ImportPlan {
  /** The address, without secrets. */
  readonly address: string;
  readonly models: readonly ModelPlan[];
  readonly pointers: readonly PointerPlan[];
  /** Files that are part of no model. */
  readonly others: readonly string[];
}

/** What became of one item. */
export interface ImportOutcome {
  readonly item: ImportItem;
  readonly model: ModelName;
  readonly state: 'added' | 'there' | 'failed';
  /** The version, when there is one. */
  readonly number?: number;
  readonly label?: string;
  readonly bytes?: { readonly new: number; readonly stored: number };
  readonly error?: IngotError;
}

/** What became of a pointer. */
export interface AliasOutcome {
  readonly pointer: PointerPlan;
  readonly state: 'set' | 'there' | 'skipped';
  readonly number?: number;
  readonly reason?: string;
}

/** What an import did. */
export interface ImportResult {
  readonly plan: ImportPlan;
  readonly outcomes: readonly ImportOutcome[];
  readonly aliases: readonly AliasOutcome[];
}

/**
 * Finds out what an import would do; files are listed, not opened.
 * @throws IngotError `path-not-found` when there is no model, `usage` when `name` is given and there are several.
 */
export async function planImport(text: string, options: ImportOptions): Promise<ImportPlan> {
  const { reader, registry, signal } = options;
  const { units, pointers, others } = await findAll(text, options);
  const address = parsePlainAddress(text, reader.host);
  if (units.length === 0)
    throw new IngotError('path-not-found', `${address.text} holds no models`, {
      operation: 'import',
      hint: 'name the directory that holds them',
      details: { files: others.slice(0, 20) },
    });
  const names = [...new Set(units.map((unit) => unit.name))].sort();
  const given = options.name === undefined ? undefined : parseModelName(options.name);
  if (given !== undefined && names.length > 1)
    throw new IngotError('usage', `--name goes with one model, and there are ${names.length}: ${names.join(', ')}`, {
      operation: 'import',
      hint: 'import a narrower address: ingot import ADDRESS/churn_v*.pkl --name churn',
    });
  const models: ModelPlan[] = [];
  for (const name of names) {
    const model = given ?? name;
    const own = units.filter((unit) => unit.name === name);
    models.push(planModel(model, own, await publishedBefore(registry, model, signal)));
  }
  return { address: address.text, models, pointers: pointersOf(pointers, models, given), others };
}

async function findAll(text: string, options: ImportOptions): Promise<FoundUnits> {
  const { reader, signal, objectVersions } = options;
  const address = parsePlainAddress(text, reader.host);
  const place = await reader.place(address);
  const found = await listed();
  if (objectVersions !== true) return found;
  return { ...found, units: (await Promise.all(found.units.map((unit) => versionsOf(unit, place, signal)))).flat() };

  async function listed(): Promise<FoundUnits> {
    const call = signal === undefined ? {} : { signal };
    const meant = (await place.matches?.(address, call)) ?? [await place.match?.(address, call)];
    const units = meant.flatMap((unit) => unit ?? []);
    if (units.length > 0) return { units, pointers: [], others: [] };
    if (address.isPattern) return { units: await matchesOf(address, place, { signal }), pointers: [], others: [] };
    const path = address.parts.map(({ literal }) => literal).join('/');
    const file = address.isDirectory || path === '' ? undefined : await place.file(path, { signal });
    if (file !== undefined)
      return { units: [await resolveSource(address, place, { signal })], pointers: [], others: [] };
    const files = await filesBelow(place, path, { signal });
    if (files.length === 0) throw await notFound(address, place, { signal });
    return findUnits(address, path, files);
  }
}

/** The earlier versions of a file, as files of their own. */
async function versionsOf(unit: SourceMatch, place: SourcePlace, signal?: AbortSignal): Promise<SourceMatch[]> {
  if (place.versions === undefined)
    throw new IngotError('usage', `${place.address} keeps no versions of its files`, {
      operation: 'import',
      hint: 'leave out --object-versions',
    });
  if (unit.kind !== 'file') return [unit];
  const versions: SourceMatch[] = [];
  for await (const facts of place.versions(unit.path, { signal })) {
    versions.push({
      ...unit,
      address: { ...unit.address, objectVersion: facts.objectVersion ?? '' },
      files: [facts],
      revision: facts.revision,
      modifiedAt: facts.modifiedAt,
      sizeBytes: facts.sizeBytes,
    });
  }
  // Storages tell times in seconds: of equal ones the listing's own order counts.
  return versions.reverse();
}

/**
 * Does what a plan says, the oldest version of each model first. What fails is told and left out; the rest goes on. Safe
 * to repeat: what was imported before is `there`.
 * @param onOutcome is told of each version as it is done.
 * @throws IngotError where going on makes no sense: `interrupted`, `disk-full`, `unavailable`, `timeout`,
 * `store-not-found`, `refused`, `tampered`; other failures are in the outcome of their version.
 */
export async function runImport(
  plan: ImportPlan,
  options: ImportOptions & { readonly contents: ContentStore; readonly onOutcome?: (outcome: ImportOutcome) => void },
): Promise<ImportResult> {
  const outcomes: ImportOutcome[] = [];
  const read = new Map<ImportItem, PackagePlan>();
  for (const { model, items } of plan.models) {
    const before = (await publishedBefore(options.registry, model, options.signal)) ?? [];
    const manifests = new Map(before.map((version) => [`${version.address} ${version.manifest}`, version.number]));
    for (const item of items) {
      const outcome = await importItem(item, model, manifests, options, (done) => read.set(item, done));
      outcomes.push(outcome);
      options.onOutcome?.(outcome);
    }
  }
  const aliases: AliasOutcome[] = [];
  for (const pointer of plan.pointers) aliases.push(await setAlias(pointer, outcomes, read, options));
  return { plan, outcomes, aliases };
}

async function importItem(
  item: ImportItem,
  model: ModelName,
  manifests: ReadonlyMap<string, number>,
  options: ImportOptions & { readonly contents: ContentStore },
  onRead: (plan: PackagePlan) => void,
): Promise<ImportOutcome> {
  const { reader, signal } = options;
  const known = { item, model, ...(item.label !== undefined && { label: item.label }) };
  if (item.action === 'there') return { ...known, state: 'there', number: item.number };
  if (item.action === 'conflict') return { ...known, state: 'failed', error: conflict(item, model) };
  try {
    await using read = await reader.checkMatch(item.match, { name: model }, { signal });
    const { plan, problems } = read.check;
    if (plan === undefined) throw packageError(item.match.location, problems);
    onRead(plan);
    // The same bytes under the same name, only touched since: nothing is new.
    const same = manifests.get(`${sourceOf(item.match).address} ${plan.manifestDigest}`);
    if (same !== undefined) return { ...known, state: 'there', number: same };
    if (item.action === 'changed') throw conflict(item, model);
    const { version, bytes } = await publish(item, plan, options);
    return { ...known, state: 'added', number: version.number, label: version.label, bytes };
  } catch (error) {
    if (!isIngotError(error) || !isAboutOneFile(error)) throw error;
    const other = error.code === 'conflict' ? await byAnother(item, model, options) : undefined;
    return other === undefined ? { ...known, state: 'failed', error } : { ...known, state: 'there', number: other };
  }
}

/** The number under which another import has just added the same file. */
async function byAnother(
  { match }: ImportItem,
  model: ModelName,
  { registry, signal }: ImportOptions,
): Promise<number | undefined> {
  return sameSource((await publishedBefore(registry, model, signal)) ?? [], match)?.number;
}

/** What is wrong with one file says nothing about the others; a store that is gone or full does. */
function isAboutOneFile({ code }: IngotError): boolean {
  return !['interrupted', 'disk-full', 'unavailable', 'timeout', 'store-not-found', 'refused', 'tampered'].includes(
    code,
  );
}

async function publish(
  item: ImportItem,
  plan: PackagePlan,
  { registry, contents, signal, onProgress }: ImportOptions & { readonly contents: ContentStore },
) {
  const label = item.label ?? plan.label;
  const labelled = { ...plan, ...(label !== undefined && { label, labelFrom: 'metadata' as const }) };
  return await pushPlan(labelled, {
    registry: numbering(registry, item),
    contents,
    captured: { lineage: { source: sourceOf(item.match) } },
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
}

/** A registry whose publications get the number and time of an item, also when the content is the newest one's. */
function numbering(registry: Registry, { number, createdAt, retired }: ImportItem): Registry {
  return {
    ...registry,
    async publish(name, draft, options = {}) {
      if (options.existingOnly === true)
        throw new IngotError('conflict', 'a version of its own is wanted', { details: { newest: null } });
      const said = { ...draft, createdAt, ...(retired && { retired }) };
      return await registry.publish(name, said, { ...options, ...(number !== undefined && { number }) });
    },
  };
}

function conflict({ match, reason = '' }: ImportItem, model: ModelName): IngotError {
  return new IngotError('conflict', `${match.location}: ${reason}`, {
    operation: 'import',
    hint: `to add it as another version: ingot push ${match.location} --name ${model}`,
  });
}

async function setAlias(
  pointer: PointerPlan,
  outcomes: readonly ImportOutcome[],
  read: ReadonlyMap<ImportItem, PackagePlan>,
  { registry, reader, signal }: ImportOptions,
): Promise<AliasOutcome> {
  const { alias, model } = pointer;
  if (alias === undefined || model === undefined) return { pointer, state: 'skipped', reason: pointer.reason ?? '' };
  const target = await pointer.target(outcomes, read, reader, signal);
  if (target === undefined)
    return { pointer, state: 'skipped', reason: 'it is none of the versions: add it with `ingot push`' };
  const { aliases } = await registry.model(model, { signal });
  if (aliases[alias] === target) return { pointer, state: 'there', number: target };
  if (aliases[alias] !== undefined)
    return {
      pointer,
      state: 'skipped',
      reason: `for ${model}@${alias} is ${aliases[alias]} and this says ${target}: ingot alias set ${model} ${alias} ${target}`,
    };
  await registry.setAlias(model, alias, target, { reason: `imported from ${pointer.path}`, expected: null, signal });
  return { pointer, state: 'set', number: target };
}

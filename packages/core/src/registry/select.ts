import { IngotError } from '../errors.ts';
import type { ModelName, Selector } from '../ref.ts';
import type { ModelState, VersionEntry } from './model-fold.ts';
import { nearest } from '../nearest.ts';

/** Versions whose contents are kept: active and retired ones, newest first. */
export function keptVersions(state: ModelState): VersionEntry[] {
  return state.versions.flatMap((entry) => (entry === null || entry.status === 'deleted' ? [] : [entry])).reverse();
}

/** The newest version that is neither retired nor deleted. */
export function latestVersion(state: ModelState): VersionEntry | undefined {
  return newestWhere(state, (entry) => entry.status === 'active');
}

/** The version that has a label; one whose label only repeats another's does not count. */
export function labelled(state: ModelState, label: string): VersionEntry | undefined {
  return newestWhere(state, (entry) => entry.status !== 'deleted' && entry.label === label && !entry.labelShadowed);
}

// Walks the table in place: a model may have ten thousand versions, and servers ask every second.
function newestWhere(state: ModelState, wanted: (entry: VersionEntry) => boolean): VersionEntry | undefined {
  for (let index = state.versions.length - 1; index >= 0; index -= 1) {
    const entry = state.versions[index];
    if (entry && wanted(entry)) return entry;
  }
  return undefined;
}

/** Aliases that name something, by name. */
export function liveAliases(state: ModelState): { readonly alias: string; readonly number: number }[] {
  const live = state.aliases.flatMap(({ alias, number }) => (number === null ? [] : [{ alias, number }]));
  return live.sort((a, b) => (a.alias < b.alias ? -1 : 1));
}

/**
 * Finds the version that a selector means. Retired versions answer to their number, label, digest and aliases, but are
 * never `latest`.
 * @throws IngotError `version-not-found`, `alias-not-found`, each with the nearest reference.
 */
export function selectVersion(name: ModelName, state: ModelState, selector: Selector): VersionEntry {
  switch (selector.kind) {
    case 'latest':
      return latestVersion(state) ?? noLatest(name, state);
    case 'version':
      return numbered(name, state, selector.number);
    case 'label':
      return labelled(state, selector.label) ?? noLabel(name, state, selector.label);
    case 'alias':
      return aliased(name, state, selector.alias);
    case 'digest': {
      const has = (entry: VersionEntry) => entry.status !== 'deleted' && entry.manifest === selector.digest;
      const active = newestWhere(state, (entry) => entry.status === 'active' && has(entry));
      const found = active ?? newestWhere(state, has);
      return found ?? notFound(`no version of "${name}" has the digest ${selector.digest}`, name);
    }
  }
}

/**
 * Finds a version by its number.
 * @throws IngotError `version-not-found`.
 */
export function numbered(name: ModelName, state: ModelState, number: number): VersionEntry {
  const entry = state.versions[number - 1];
  if (entry && entry.status !== 'deleted') return entry;
  if (entry) return notFound(`version ${number} of "${name}" was deleted`, name);
  const newest = keptVersions(state)[0];
  const known = newest
    ? `the newest is ${newest.number}${number < newest.number ? ', and not every number below it was used' : ''}`
    : 'it has no version';
  return notFound(`"${name}" has no version ${number}: ${known}`, name, newest && `${name}:${newest.number}`);
}

/** Throws that a model has no such alias, with the nearest one. */
export function aliasNotFound(name: ModelName, state: ModelState, alias: string): never {
  const live = liveAliases(state);
  const close = nearest(
    alias,
    live.map((entry) => entry.alias),
  );
  const meant = close ? `${name}@${close}` : labelled(state, alias) && `${name}:${alias}`;
  throw new IngotError('alias-not-found', `model "${name}" has no alias "${alias}"`, {
    hint: `ingot alias ls ${name}`,
    ...(meant ? { nearest: meant } : {}),
    details: { model: name, alias, aliases: Object.fromEntries(live.map((entry) => [entry.alias, entry.number])) },
  });
}

function aliased(name: ModelName, state: ModelState, alias: string): VersionEntry {
  const number = state.aliases.find((entry) => entry.alias === alias)?.number;
  return number === undefined || number === null ? aliasNotFound(name, state, alias) : numbered(name, state, number);
}

function noLatest(name: ModelName, state: ModelState): never {
  const kept = keptVersions(state)[0];
  if (kept === undefined) return notFound(`"${name}" has no version`, name);
  return notFound(`every version of "${name}" is retired; name one to use it`, name, `${name}:${kept.number}`);
}

function noLabel(name: ModelName, state: ModelState, label: string): never {
  const aliases = liveAliases(state).map((entry) => entry.alias);
  const labels = keptVersions(state).flatMap((entry) => entry.label ?? []);
  const closeLabel = nearest(label, labels);
  const closeAlias = nearest(label, aliases);
  const meant =
    closeLabel !== undefined ? `${name}:${closeLabel}` : closeAlias !== undefined ? `${name}@${closeAlias}` : undefined;
  return notFound(`no version of "${name}" has the label "${label}"`, name, meant);
}

function notFound(message: string, name: ModelName, meant?: string): never {
  throw new IngotError('version-not-found', message, {
    hint: `ingot ls ${name}`,
    ...(meant ? { nearest: meant } : {}),
    details: { model: name },
  });
}

import type { ModelName } from '@ingot/core/ref';
import { parseModelName } from '@ingot/core/ref';
import type { Database } from '../../database/database.ts';
import type { Found } from '../../tracking/search-experiments.ts';
import { JsonText } from './json-text.ts';
import { readablePage } from './readable-page.ts';
import type { AddressOf } from './registry-context.ts';
import { aliasesOf, type ModelNames, namesOf, versionFacts } from './registry-rows.ts';
import { factsText, versionText } from './render-registry.ts';
import type { VersionPlace, VersionTexts } from './version-texts.ts';

/** What a page of versions is made with. */
export interface VersionPageOptions {
  readonly database: Pick<Database, 'kind' | 'index'>;
  readonly texts: VersionTexts;
  readonly addressOf: AddressOf;
  readonly mayRead: (model: ModelName) => boolean;
}

/**
 * Writes a page of versions that were found and may be read, as JSON. What a version says is read where no text of it is
 * kept; its model's name and its aliases are read for each page, as other events change them.
 * @param find gives the places after a cursor.
 */
export async function versionPage(
  options: VersionPageOptions,
  cursor: string | undefined,
  find: (cursor: string | undefined) => Promise<Found<VersionPlace>>,
): Promise<JsonText> {
  const { database, mayRead } = options;
  const models = new Map<string, ModelNames>();
  const readable = new Set<string>();
  const { items, next } = await readablePage(
    cursor,
    async (at) => {
      const found = await find(at);
      const ids = modelsIn(found.items).filter((id) => !models.has(id));
      for (const names of await namesOf(database, ids)) {
        models.set(names.id, names);
        if (mayRead(parseModelName(names.model))) readable.add(names.id);
      }
      return found;
    },
    ({ model_id }) => readable.has(model_id),
  );
  const written = await writtenVersions(options, items, models);
  const parts = [
    ...(written.length === 0 ? [] : [`"model_versions":[${written.join(',')}]`]),
    ...(next === undefined ? [] : [`"next_page_token":${JSON.stringify(next)}`]),
  ];
  return new JsonText(`{${parts.join(',')}}`);
}

async function writtenVersions(
  options: VersionPageOptions,
  places: readonly VersionPlace[],
  models: ReadonlyMap<string, ModelNames>,
): Promise<readonly string[]> {
  const facts = await factsOf(options, places);
  const names = new Map([...models].map(([id, { name }]) => [id, JSON.stringify(name)]));
  const aliases = await namedBy(options.database, modelsIn(places));
  const texts: string[] = [];
  for (const [at, { model_id, number }] of places.entries()) {
    const [name, said] = [names.get(model_id), facts[at]];
    if (name !== undefined && said !== undefined)
      texts.push(versionText(name, said, aliases.get(model_id)?.get(number)));
  }
  return texts;
}

/** What each version says, in the order of the places; undefined where its row is gone. */
async function factsOf(
  { database, texts, addressOf }: VersionPageOptions,
  places: readonly VersionPlace[],
): Promise<readonly (string | undefined)[]> {
  const known = places.map((place) => texts.get(place));
  const missing = places.filter((_, at) => known[at] === undefined);
  if (missing.length === 0) return known;
  const read = new Map<string, string>();
  for (const { place, ...facts } of await versionFacts(database, missing)) {
    const text = factsText(facts, addressOf);
    texts.keep(place, text);
    read.set(`${place.model_id} ${place.number}`, text);
  }
  return places.map(({ model_id, number }, at) => known[at] ?? read.get(`${model_id} ${number}`));
}

/** Aliases by model and number. */
async function namedBy(
  database: VersionPageOptions['database'],
  ids: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<number, readonly string[]>>> {
  const models = new Map<string, Map<number, string[]>>();
  if (ids.length === 0) return models;
  for (const { model_id, number, alias } of await aliasesOf(database, ids)) {
    const numbers = models.get(model_id) ?? new Map<number, string[]>();
    numbers.set(number, [...(numbers.get(number) ?? []), alias]);
    models.set(model_id, numbers);
  }
  return models;
}

function modelsIn(places: readonly VersionPlace[]): readonly string[] {
  const ids = new Set<string>();
  let before = '';
  for (const { model_id } of places) {
    if (model_id !== before) ids.add(model_id);
    before = model_id;
  }
  return [...ids];
}

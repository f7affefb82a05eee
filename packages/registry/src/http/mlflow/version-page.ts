import type { ModelName } from '@ingot/core/ref';
import type { Database } from '../../database/database.ts';
import type { Found } from '../../tracking/search-experiments.ts';
import { JsonText } from './json-text.ts';
import { readablePage } from './readable-page.ts';
import type { AddressOf } from './registry-context.ts';
import type { NotedModel, NotedModels } from './noted-models.ts';
import { versionFacts } from './registry-rows.ts';
import { factsText, versionText } from './render-registry.ts';
import type { VersionPlace, VersionTexts } from './version-texts.ts';

/** What a page of versions is made with. */
export interface VersionPageOptions {
  readonly database: Pick<Database, 'kind' | 'index'>;
  readonly texts: VersionTexts;
  readonly noted: NotedModels;
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
  const { noted, mayRead } = options;
  const models = new Map<string, NotedModel>();
  const readable = new Set<string>();
  const { items, next } = await readablePage(
    cursor,
    async (at) => {
      const found = await find(at);
      const ids = modelsIn(found.items).filter((id) => !models.has(id));
      for (const [id, known] of await noted.of(ids)) {
        models.set(id, known);
        if (mayRead(known.model)) readable.add(id);
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
  models: ReadonlyMap<string, NotedModel>,
): Promise<readonly string[]> {
  const facts = await factsOf(options, places);
  const texts: string[] = [];
  for (const [at, { model_id, number }] of places.entries()) {
    const [model, said] = [models.get(model_id), facts[at]];
    if (model !== undefined && said !== undefined) texts.push(versionText(model.name, said, model.aliases.get(number)));
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

function modelsIn(places: readonly VersionPlace[]): readonly string[] {
  const ids = new Set<string>();
  let before = '';
  for (const { model_id } of places) {
    if (model_id !== before) ids.add(model_id);
    before = model_id;
  }
  return [...ids];
}

import { isJsonObject, type JsonObject, parseJson } from '@ingot/core/json';
import type { VersionDraft } from '@ingot/core/registry/registry';
import type { PushedManifest } from './read-manifest.ts';

/** What the publisher of an artifact has written of it. */
export type PublishedWords = Pick<VersionDraft, 'description' | 'author'>;

/** Configs are small; of a larger one nothing is read. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_TEXT = 4000;
const ANNOTATION = 'org.opencontainers.image';

/**
 * Reads what an artifact says of itself: in the config of ModelPack (`descriptor`) or KitOps (`package`, else `model`), else
 * in the annotations of its manifest.
 * @param config bytes of its config; undefined: they are not read.
 */
export function publishedWords(
  { annotations }: Pick<PushedManifest, 'annotations'>,
  config: Uint8Array | undefined,
): PublishedWords {
  const value = config && parseJson(Buffer.from(config).toString('utf8'));
  const { descriptor, package: kit, model } = isJsonObject(value) ? value : {};
  const said = [descriptor, kit, model].filter((one): one is JsonObject => isJsonObject(one));
  const description = firstText([...said.map((one) => one.description), annotations[`${ANNOTATION}.description`]]);
  const author = firstText([
    ...said.map(({ authors }) => (Array.isArray(authors) ? authors.filter(isText).join(', ') : undefined)),
    annotations[`${ANNOTATION}.authors`],
  ]);
  return { ...(description !== undefined && { description }), ...(author !== undefined && { author }) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** The first text that is one; what cannot stand in a database, as NUL, is none. */
function firstText(values: readonly unknown[]): string | undefined {
  const found = values.filter(isText).find((text) => text.trim() !== '' && !/[\0\p{Surrogate}]/u.test(text));
  return found?.slice(0, MAX_TEXT);
}

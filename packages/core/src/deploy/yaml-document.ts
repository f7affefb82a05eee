import { stringify } from 'yaml';
import type { JsonObject } from '../json.ts';

/** The first line of every file that `ingot deploy` writes; a file that begins otherwise is somebody's own. */
export const WRITTEN_BY = '# written by `ingot deploy`: change it by an overlay, or remove this line and it is yours';

/**
 * Writes a document as YAML. All texts are quoted, so that no reader takes one for a number, a switch (`no`) or more
 * than a text; keys keep the order that they were given in.
 */
export function yamlDocument(document: JsonObject): string {
  const text = stringify(document, {
    lineWidth: 0,
    aliasDuplicateObjects: false,
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
  });
  return `${WRITTEN_BY}\n${text}`;
}

import { stringify } from 'yaml';
import type { JsonObject } from '../json.ts';

/** Writes a document as YAML that `parseYaml` reads back the same; long texts are not folded. */
export function formatYaml(document: JsonObject): string {
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

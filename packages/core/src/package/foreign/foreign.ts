/**
 * *Foreign* packages: folders and archives that other systems write. A reader recognises one by its own files, says what
 * it understood, and *writes* what an Ingot package has beside the files that are there: `flavor.json`, `metadata.yaml`,
 * `requirements.txt`, an adapting `interface.py`. The original files are kept as they are, and nothing of them is run.
 */

import { stringify } from 'yaml';
import type { Capture } from '../../capture.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import type { Inference, Problem } from '../package.ts';
import type { ForeignFolder } from './foreign-folder.ts';

/** What was understood of a foreign package. */
export interface ForeignFinding {
  /** `an MLflow model`. */
  readonly kind: string;
  /** The file that told it: `MLmodel`. */
  readonly from: string;
  /** Whose description of inputs and outputs the written metadata has: `MLflow`. Default: it has none. */
  readonly describedBy?: string;
  /** Files to add, by path; one that is there already stays as it is. */
  readonly written: Readonly<Record<string, string>>;
  /** What belongs to the event of the version and not into its files: metrics, tags, lineage, sample rows. */
  readonly captured?: Capture;
  readonly understood: readonly Inference[];
  readonly problems?: readonly Problem[];
  /** Files whose part is taken over by a written one, and so are there twice without being a mistake. */
  readonly replaced?: readonly string[];
  /** Distributions (`mlflow`) that its requirements name for the system that wrote it, and that loading it here does without. */
  readonly unneeded?: readonly string[];
}

/** Reads one format; undefined when the folder is not of it. */
export type ForeignReader = (folder: ForeignFolder) => Promise<ForeignFinding | undefined>;

/** The text of a `flavor.json`: sorted keys, a last newline. Keys without a value are left out. */
export function flavorText(description: Readonly<Record<string, JsonValue | undefined>>): string {
  const entries = Object.entries(description).filter(([, value]) => value !== undefined);
  const sorted = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted)}\n`;
}

/** The text of a `metadata.yaml`; keys without a value, and empty lists and maps, are left out. */
export function metadataText(metadata: Readonly<Record<string, JsonValue | undefined>>): string {
  const entries = Object.entries(metadata).filter(([, value]) => value !== undefined && !isEmpty(value));
  return stringify(Object.fromEntries(entries), { version: '1.2', lineWidth: 0, aliasDuplicateObjects: false });
}

function isEmpty(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

/** Without the keys that say nothing: null, undefined, empty text, empty lists and maps. */
export function telling(value: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const kept = Object.entries(value).filter(
    (entry): entry is [string, JsonValue] =>
      entry[1] !== undefined && entry[1] !== null && entry[1] !== '' && !isEmpty(entry[1]),
  );
  return Object.fromEntries(kept);
}

/** A text, or undefined. */
export function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A map, or an empty one. */
export function mapOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** The texts of a list; a single text is a list of one. */
export function textsOf(value: JsonValue | undefined): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return Array.isArray(value) ? value.flatMap((one: JsonValue) => (typeof one === 'string' ? [one] : [])) : [];
}

/** Requirements with one pin a line, from versions by distribution; without the build (`+cu132`), which no index has. */
export function pinnedText(versions: JsonObject): string {
  const lines = Object.entries(versions).map(([name, version]) =>
    typeof version === 'string' && /^\d[\w.!+]*$/.test(version) ? `${name}==${version.replace(/\+.*$/, '')}` : name,
  );
  return lines.length === 0 ? '' : `${lines.sort().join('\n')}\n`;
}

import { readFile } from 'node:fs/promises';
import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { json } from '../decode.ts';
import { locateFiles } from '../locate.ts';
import type { SourceFile } from '../source-file.ts';
import { parseYaml } from '../yaml-tree.ts';

const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** A folder as a reader of another system's format sees it. Only small texts are read; nothing is loaded. */
export interface ForeignFolder {
  /** Where it lies. */
  readonly directory: string;
  /** What the model is called by its folder or archive. */
  readonly baseName: string;
  readonly files: readonly SourceFile[];
  /** Where the archive lies that it was unpacked from. */
  readonly archive?: string;
  has(path: string): boolean;
  /** The text of a file; undefined when it is missing, larger than 4 MiB or not UTF-8. */
  text(path: string): Promise<string | undefined>;
  /** A file as JSON; undefined also when it is not JSON. */
  json(path: string): Promise<JsonValue | undefined>;
  /** A YAML file that holds a map; undefined also when it does not. */
  yaml(path: string): Promise<JsonObject | undefined>;
}

/** Lists a folder; undefined when something in it cannot be read at all, which reading it as a package reports. */
export async function openForeignFolder(
  directory: string,
  known: { readonly baseName?: string; readonly archive?: string; readonly signal?: AbortSignal } = {},
): Promise<ForeignFolder | undefined> {
  const { files, problems, baseName } = await locateFiles(directory, known.signal);
  if (problems.some(({ severity }) => severity === 'error')) return undefined;
  const byPath = new Map(files.map((file) => [file.path, file]));
  const text = (path: string): Promise<string | undefined> => readText(byPath.get(path));
  return {
    directory,
    baseName: known.baseName ?? baseName,
    files,
    ...(known.archive === undefined ? {} : { archive: known.archive }),
    has: (path) => byPath.has(path),
    text,
    json: async (path) => parseJson(await text(path)),
    yaml: async (path) => parseMap(await text(path), path),
  };
}

async function readText(file: SourceFile | undefined): Promise<string | undefined> {
  if (file === undefined || file.sizeBytes > MAX_TEXT_BYTES) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file.absolute));
  } catch {
    // Unreadable or not text: then it says nothing about the model; reading the package reports the first.
    return undefined;
  }
}

/** Reads JSON; undefined when it is none. */
export function parseJson(text: string | undefined): JsonValue | undefined {
  if (text === undefined) return undefined;
  try {
    return json(JSON.parse(text), 'the file');
  } catch {
    // Whoever asks treats a file that is no JSON as one that is not there.
    return undefined;
  }
}

/** Reads a YAML map; undefined when it is none. */
export function parseMap(text: string | undefined, file: string): JsonObject | undefined {
  if (text === undefined) return undefined;
  const { tree, problems } = parseYaml(text, file);
  if (tree === undefined || problems.some(({ severity }) => severity === 'error')) return undefined;
  return isJsonObject(tree.value) ? tree.value : undefined;
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import { nearest } from '@ingot/core/nearest';
import { parseDotenv } from './dotenv.ts';
import type { SettingKey } from './setting-keys.ts';
import { isSettingKey, keyOfVariable, OTHER_VARIABLES, SETTING_KEYS, variableOf } from './setting-keys.ts';
import type { SettingsHost } from './settings.ts';
import { baseOf, mayComeFromProject, userConfigPath } from './settings.ts';
import type { StorageLayer, StorageReport } from './storage-layers.ts';
import { readStorageLayers } from './storage-layers.ts';
import { STORAGE_VARIABLES, storageVariable } from './storage-variables.ts';

/** Settings from one place. */
export interface SettingLayer {
  readonly values: ReadonlyMap<SettingKey, string>;
  originOf(key: SettingKey): string;
  readonly base: string;
  /** Whether it is a file of the working directory. */
  readonly project: boolean;
}

/** Layers, the strongest first, and what was wrong with them (unknown keys, values that do not belong there). */
export interface LayerReport {
  readonly layers: readonly SettingLayer[];
  readonly storage: StorageReport;
  readonly warnings: readonly string[];
}

/**
 * Reads flags, environment and files.
 * @throws IngotError `invalid-config` for a file that cannot be parsed.
 */
export async function readLayers(flags: ReadonlyMap<SettingKey, string>, host: SettingsHost): Promise<LayerReport> {
  const warnings: string[] = [];
  const none: ReadonlyMap<string, string> = new Map();
  const layers: PlacedLayer[] = [
    {
      values: flags,
      originOf: (key) => `flag --${key}`,
      base: host.cwd,
      project: false,
      where: 'flags',
      storage: none,
    },
    environmentLayer(host, warnings),
    dotenvLayer(host, warnings),
    await tomlLayer(join(host.cwd, 'ingot.toml'), 'ingot.toml', undefined, warnings),
    await tomlLayer(join(host.cwd, 'pyproject.toml'), 'pyproject.toml [tool.ingot]', 'tool.ingot', warnings),
    await tomlLayer(userConfigPath(host.env), userConfigPath(host.env), undefined, warnings),
  ];
  const storage = await readStorageLayers(layers);
  return { layers: layers.filter((layer) => layer.values.size > 0), storage, warnings };
}

/** A layer with the storage variables of the same place. */
type PlacedLayer = SettingLayer & StorageLayer;

function environmentLayer(host: SettingsHost, warnings: string[]): PlacedLayer {
  const entries = Object.entries(host.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  return variablesLayer(entries, { where: 'environment', base: host.cwd, project: false }, warnings);
}

function dotenvLayer(host: SettingsHost, warnings: string[]): PlacedLayer {
  const text = readIfThere(join(host.cwd, '.env'));
  const entries = text === undefined ? [] : [...parseDotenv(text)];
  return variablesLayer(entries, { where: '.env', base: host.cwd, project: true }, warnings);
}

interface Place {
  readonly where: string;
  readonly base: string;
  readonly project: boolean;
}

function variablesLayer(
  entries: readonly (readonly [string, string])[],
  place: Place,
  warnings: string[],
): PlacedLayer {
  const values = new Map<SettingKey, string>();
  const storage = new Map<string, string>();
  for (const [name, text] of entries) {
    if (storageVariable(name) !== undefined) {
      storage.set(name, text);
      continue;
    }
    if (!name.startsWith('INGOT_') || OTHER_VARIABLES.includes(name)) continue;
    const key = keyOfVariable(name);
    if (!isSettingKey(key)) warnings.push(unknownKey(name, place.where, ingotVariables()));
    else if (place.project && !mayComeFromProject(key)) warnings.push(notFromProject(name, place.where, key));
    else values.set(key, text);
  }
  return { values, originOf: (key) => `${place.where} ${variableOf(key)}`, storage, ...place };
}

async function tomlLayer(
  path: string,
  where: string,
  section: string | undefined,
  warnings: string[],
): Promise<PlacedLayer> {
  const values = new Map<SettingKey, string>();
  const storage = new Map<string, string>();
  const project = where !== path;
  const layer: PlacedLayer = { values, originOf: () => where, base: baseOf(path), project, where, storage };
  const text = readIfThere(path);
  if (text === undefined || (section !== undefined && !text.includes('ingot'))) return layer;
  for (const [name, value] of Object.entries(await tomlSection(text, path, section))) {
    if (name === 'storage' && isJsonObject(value)) {
      readStorageTable(value, { where, storage }, warnings);
      continue;
    }
    const key = name.replaceAll('_', '-').toLowerCase();
    const written = writeValue(value);
    if (!isSettingKey(key)) warnings.push(unknownKey(name, where, SETTING_KEYS));
    else if (project && !mayComeFromProject(key)) warnings.push(notFromProject(name, where, key));
    else if (written === undefined)
      warnings.push(`${name} in ${where} must be a text, a number, true or false, or a list of texts`);
    else values.set(key, written);
  }
  return layer;
}

async function tomlSection(text: string, path: string, section: string | undefined): Promise<object> {
  const { parse } = await import('smol-toml');
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new IngotError('invalid-config', `${path} is not valid TOML: ${why}`, { cause });
  }
  for (const key of section?.split('.') ?? []) value = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(value) ? value : {};
}

/** `[storage]` holds variables under their own names: `AWS_REGION = "eu-central-1"`. */
function readStorageTable(
  table: Readonly<Record<string, unknown>>,
  { where, storage }: { readonly where: string; readonly storage: Map<string, string> },
  warnings: string[],
): void {
  for (const [name, value] of Object.entries(table)) {
    const text = writeValue(value);
    if (storageVariable(name) === undefined)
      warnings.push(
        unknownKey(
          `storage.${name}`,
          where,
          STORAGE_VARIABLES.map((known) => `storage.${known.name}`),
        ),
      );
    else if (text === undefined) warnings.push(`storage.${name} in ${where} must be a text, a number, true or false`);
    else storage.set(name, text);
  }
}

function ingotVariables(): readonly string[] {
  const storage = STORAGE_VARIABLES.map(({ name }) => name).filter((name) => name.startsWith('INGOT_'));
  return [...SETTING_KEYS.map(variableOf), ...storage];
}

function writeValue(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join(',') : undefined;
}

function unknownKey(name: string, where: string, known: Iterable<string>): string {
  const meant = nearest(name, known);
  return `${name} (${where}) is not a setting${meant === undefined ? '' : `; did you mean ${meant} ?`}`;
}

function notFromProject(name: string, where: string, key: SettingKey): string {
  return `${name} is not read from ${where}, because a package could bring that file along; set ${variableOf(key)} or the user configuration`;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = systemErrorCode(cause) ?? String(cause);
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(why)) return undefined;
    throw new IngotError('invalid-config', `cannot read ${path} (${why})`, { cause });
  }
}

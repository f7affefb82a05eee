/**
 * A *setting* is a value that may come from a flag, the environment, a file or a default; its *origin* says which.
 * The first that has it wins: flag, `INGOT_*`, `.env`, `ingot.toml` or `[tool.ingot]`, user configuration, default.
 */

import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { redactAddress } from '@ingot/core/blob/address';
import { IngotError } from '@ingot/core/errors';
import { parseBytes } from '../output/units.ts';
import type { SettingKey, SettingKind } from './setting-keys.ts';
import { SETTING_KEYS, SETTINGS, specOf, variableOf } from './setting-keys.ts';
import type { SettingLayer } from './layers.ts';
import { storageVariable } from './storage-variables.ts';
import type { StorageReport } from './storage-layers.ts';

/** A setting with its source text and where that came from. */
export interface SettingValue {
  readonly key: SettingKey;
  readonly text: string;
  /** For people: `flag --port`, `environment INGOT_PORT`, `.env`, `default`. */
  readonly origin: string;
  /** Directory that a relative path in it starts from. */
  readonly base: string;
  /** Whether a file of the working directory says it, which may have come with a package. */
  readonly project: boolean;
}

/** All settings of this run. */
export interface Settings {
  /** The setting as it was written, or undefined when nothing set it and it has no default. */
  value(key: SettingKey): SettingValue | undefined;
  text(key: SettingKey): string | undefined;
  number(key: SettingKey): number | undefined;
  list(key: SettingKey): readonly string[];
  isOn(key: SettingKey): boolean;
  /** An absolute path. */
  path(key: SettingKey): string | undefined;
  /** What storages read: variables of the process, those of `.env` and the files, and settings that concern storages. */
  readonly env: SettingsHost['env'];
  /** Storage variables that `.env` and the files give. */
  readonly storage: StorageReport;
}

/** What defaults depend on. */
export interface SettingsHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly user: string;
  readonly hostname: string;
}

/** Puts layers together, the strongest first. Values are checked when they are read. */
export function createSettings(
  layers: readonly SettingLayer[],
  host: SettingsHost,
  storage: StorageReport = { given: [], withheld: [] },
): Settings {
  const defaults = defaultValues(host);
  const value = (key: SettingKey): SettingValue | undefined => {
    for (const layer of layers) {
      const text = layer.values.get(key);
      if (text !== undefined)
        return { key, text, origin: layer.originOf(key), base: layer.base, project: layer.project };
    }
    const text = defaults[key];
    return text === undefined ? undefined : { key, text, origin: 'default', base: host.cwd, project: false };
  };
  const read = <T>(key: SettingKey, reader: (text: string) => T | undefined, wanted: string): T | undefined => {
    const found = value(key);
    if (found === undefined || found.text === '') return undefined;
    const parsed = reader(found.text);
    if (parsed === undefined) throw invalidSetting(found, wanted);
    return parsed;
  };
  return {
    env: storageEnvironment(host.env, storage, value),
    storage,
    value,
    text: (key) => {
      const kind: SettingKind = SETTINGS[key].kind;
      const allowed = typeof kind === 'string' ? undefined : kind;
      return read(
        key,
        (text) => (allowed === undefined || allowed.includes(text) ? text : undefined),
        allowed?.join(', ') ?? '',
      );
    },
    number: (key) =>
      read(
        key,
        (text) => parseNumber(text, SETTINGS[key].kind),
        NUMBER_WORDS[String(SETTINGS[key].kind)] ?? 'a number',
      ),
    list: (key) =>
      (value(key)?.text ?? '')
        .split(SETTINGS[key].kind === 'sources' ? /[,\s]/ : ',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    isOn: (key) => read(key, parseSwitch, 'true or false') ?? false,
    path: (key) => {
      const found = value(key);
      return found === undefined || found.text === '' ? undefined : resolvePath(found.text, found.base);
    },
  };
}

/** Settings that storages read from the environment, whoever set them. */
const FOR_STORAGES = ['share', 'shared', 'retries', 'storage-timeout'] as const satisfies readonly SettingKey[];

function storageEnvironment(
  env: SettingsHost['env'],
  { given }: StorageReport,
  value: Settings['value'],
): SettingsHost['env'] {
  const variables = given.map(({ name, text }) => [name, text] as const);
  const settings = FOR_STORAGES.map((key) => [variableOf(key), value(key)?.text] as const);
  return { ...env, ...Object.fromEntries([...variables, ...settings.filter(([, text]) => text !== undefined)]) };
}

const NUMBER_WORDS: Readonly<Record<string, string>> = {
  port: 'a port from 0 to 65535',
  number: 'a whole number from 1 on',
  count: 'a whole number from 0 on',
  seconds: 'seconds, like 30',
  bytes: 'a size, like 4GB',
};

function parseNumber(text: string, kind: SettingKind): number | undefined {
  if (kind === 'bytes') return parseBytes(text);
  const number = Number(text.replace(kind === 'seconds' ? /s$/ : /$^/, ''));
  if (!Number.isFinite(number) || number < 0) return undefined;
  if (kind === 'seconds') return number > 0 ? number : undefined;
  if (!Number.isInteger(number)) return undefined;
  if (kind === 'count') return number;
  return kind === 'port' ? (number <= 65_535 ? number : undefined) : number >= 1 ? number : undefined;
}

function parseSwitch(text: string): boolean | undefined {
  if (/^(?:1|true|yes|on)$/i.test(text)) return true;
  return /^(?:0|false|no|off)$/i.test(text) ? false : undefined;
}

function invalidSetting(value: SettingValue, wanted: string): IngotError {
  const code = value.origin.startsWith('flag') ? 'usage' : 'invalid-config';
  return new IngotError(code, `${value.key} is "${value.text}" (${value.origin}); it takes ${wanted}`, {
    hint: 'ingot config show --origin',
  });
}

/** Makes a path absolute: `~` is the home directory, other relative paths start at `base`. */
export function resolvePath(path: string, base: string): string {
  if (path === '~') return homedir();
  if (path.startsWith('~/')) return join(homedir(), path.slice(2));
  return isAbsolute(path) ? path : resolve(base, path);
}

/** Directory of the user's own configuration file. */
export function userConfigPath(env: SettingsHost['env']): string {
  if (env.INGOT_CONFIG !== undefined && env.INGOT_CONFIG !== '') return env.INGOT_CONFIG;
  return join(env.XDG_CONFIG_HOME || join(home(env), '.config'), 'ingot', 'config.toml');
}

function home(env: SettingsHost['env']): string {
  return env.HOME || homedir();
}

function defaultValues(host: SettingsHost): Readonly<Partial<Record<SettingKey, string>>> {
  return {
    registry: join(home(host.env), '.ingot', 'store'),
    state: join(home(host.env), '.ingot', 'server'),
    cache: join(host.env.XDG_CACHE_HOME || join(home(host.env), '.cache'), 'ingot'),
    actor: `${host.user}@${host.hostname}`,
    share: 'auto',
    shared: 'auto',
    compress: 'false',
    offline: 'false',
    host: '127.0.0.1',
    port: '8080',
    load: 'start',
    env: 'auto',
    'allow-setup': 'false',
    'allow-source': 'false',
  };
}

/** Lists all settings with their values and origins, secrets redacted. */
export function listSettings(settings: Settings): { key: SettingKey; value: string | null; origin: string }[] {
  return SETTING_KEYS.map((key) => {
    const found = settings.value(key);
    return { key, value: found === undefined ? null : redactAddress(found.text), origin: found?.origin ?? 'not set' };
  });
}

/** Lists the storage variables that are set, secrets hidden. */
export function listStorage({ storage }: Settings): { name: string; value: string; origin: string }[] {
  return storage.given.map(({ name, text, origin }) => {
    const value = storageVariable(name)?.secret === true ? '***' : redactAddress(text);
    return { name, value, origin };
  });
}

/** Directory of a file, for paths written in it. */
export function baseOf(file: string): string {
  return dirname(resolve(file));
}

/** Says whether files of the working directory may set a key. */
export function mayComeFromProject(key: SettingKey): boolean {
  return specOf(key).fromProject !== false;
}

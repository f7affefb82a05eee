import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseDotenv } from './dotenv.ts';
import { readLayers } from './layers.ts';
import type { SettingKey } from './setting-keys.ts';
import type { Settings } from './settings.ts';
import { createSettings, listSettings } from './settings.ts';

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

interface World {
  readonly flags?: Partial<Record<SettingKey, string>>;
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
}

async function settingsOf(world: World): Promise<{ settings: Settings; warnings: readonly string[]; cwd: string }> {
  const cwd = mkdtempSync(join(tmpdir(), 'ingot-settings-'));
  directories.push(cwd);
  for (const [name, text] of Object.entries(world.files ?? {})) writeFileSync(join(cwd, name), text);
  const env = { HOME: '/home/someone', INGOT_CONFIG: join(cwd, 'user.toml'), ...world.env };
  const host = { env, cwd, user: 'someone', hostname: 'machine' };
  const flags = new Map(Object.entries(world.flags ?? {}) as [SettingKey, string][]);
  const { layers, warnings } = await readLayers(flags, host);
  return { settings: createSettings(layers, host), warnings, cwd };
}

describe('settings', () => {
  it('prefers a flag to the environment, that to .env, that to ingot.toml, that to pyproject.toml, that to the user file', async () => {
    const files = {
      '.env': 'INGOT_HOST=dotenv\nINGOT_PORT=2\nOTHER=ignored\n',
      'ingot.toml': 'host = "toml"\nport = 3\nworkers = 3\n',
      'pyproject.toml': '[tool.ingot]\nworkers = 4\ntimeout = 4\n[project]\nname = "x"\n',
      'user.toml': 'timeout = 5\nmemory = "5GB"\n',
    };
    const { settings, warnings } = await settingsOf({
      flags: { host: 'flag' },
      env: { INGOT_HOST: 'environment', INGOT_LOAD: 'on-demand' },
      files,
    });
    expect(settings.value('host')).toMatchObject({ text: 'flag', origin: 'flag --host' });
    expect(settings.value('load')).toMatchObject({ text: 'on-demand', origin: 'environment INGOT_LOAD' });
    expect(settings.number('port')).toBe(2);
    expect(settings.number('workers')).toBe(3);
    expect(settings.value('timeout')).toMatchObject({ text: '4', origin: 'pyproject.toml [tool.ingot]' });
    expect(settings.number('memory')).toBe(5e9);
    expect(settings.value('env')).toMatchObject({ text: 'auto', origin: 'default' });
    expect(warnings).toEqual([]);
  });

  it('takes no spare processes, but not no workers', async () => {
    const { settings } = await settingsOf({ flags: { spare: '0', workers: '0' } });
    expect(settings.number('spare')).toBe(0);
    expect(() => settings.number('workers')).toThrow('it takes a whole number from 1 on');
  });

  it('names an unknown variable and an unknown key, with the nearest one', async () => {
    const { warnings } = await settingsOf({ env: { INGOT_REGSITRY: 'x' }, files: { 'ingot.toml': 'wokers = 2\n' } });
    expect(warnings[0]).toMatch(/INGOT_REGSITRY \(environment\) is not a setting; did you mean INGOT_REGISTRY \?/);
    expect(warnings[1]).toMatch(/wokers \(ingot\.toml\).*did you mean workers \?/);
  });

  it('does not let a file of the working directory allow setup scripts or name an interpreter', async () => {
    const { settings, warnings } = await settingsOf({
      files: { '.env': 'INGOT_ALLOW_SETUP=1', 'ingot.toml': 'python = "./evil"\n' },
    });
    expect(settings.isOn('allow-setup')).toBe(false);
    expect(settings.text('python')).toBeUndefined();
    expect(warnings).toHaveLength(2);
  });

  it('starts relative paths of a file at that file, and of the environment at the working directory', async () => {
    const { settings, cwd } = await settingsOf({
      env: { INGOT_REGISTRY: '~/models' },
      files: { 'ingot.toml': 'cache = "cache"\n' },
    });
    expect(settings.path('cache')).toBe(join(cwd, 'cache'));
    expect(settings.path('registry')).toMatch(/\/models$/);
  });

  it('refuses a value that does not fit, naming where it stands', async () => {
    const { settings } = await settingsOf({ env: { INGOT_PORT: '70000', INGOT_ENV: 'sometimes' } });
    expect(() => settings.number('port')).toThrow(
      'port is "70000" (environment INGOT_PORT); it takes a port from 0 to 65535',
    );
    expect(() => settings.text('env')).toThrow(/env is "sometimes".*auto, current, none/);
  });

  it('names a TOML file that cannot be parsed', async () => {
    await expect(settingsOf({ files: { 'ingot.toml': 'host = \n' } })).rejects.toMatchObject({
      code: 'invalid-config',
    });
  });

  it('hides passwords when it lists values', async () => {
    const { settings } = await settingsOf({ env: { INGOT_REGISTRY: 'https://me:hunter2@host/x?token=abc&y=1' } });
    const listed = listSettings(settings).find(({ key }) => key === 'registry');
    expect(listed?.value).toBe('https://***@host/x?token=***&y=1');
  });
});

describe('parseDotenv', () => {
  it('reads comments, export and quotes, and expands nothing', () => {
    const values = parseDotenv('# no\nexport A=1 # yes\nB="two words"\nC=\'$A # kept\'\nD="a\\nb"\n\nE=\n');
    expect(Object.fromEntries(values)).toEqual({ A: '1', B: 'two words', C: '$A # kept', D: 'a\nb', E: '' });
  });
});

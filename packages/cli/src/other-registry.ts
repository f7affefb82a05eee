import { IngotError } from '@ingot/core/errors';
import type { Context } from './context.ts';
import type { Settings, SettingValue } from './settings/settings.ts';

/** An end of a promotion: where a version comes from, or where it goes. */
export type RegistryEnd = 'from' | 'to';

/** The token of each end, where both are servers; `INGOT_TOKEN` would be shown to the wrong one. */
const TOKENS = { from: 'INGOT_FROM_TOKEN', to: 'INGOT_TO_TOKEN' } as const;

/**
 * Gives a context whose registry is the one that `--from` or `--to` names: an address, or a name of the setting
 * `registries`. Without the flag it is the registry that counts anyway.
 * @param alone whether no other server is asked, so that `INGOT_TOKEN` can only be meant for this one.
 * @throws IngotError `usage` for a name that `registries` does not have.
 */
export function atRegistry(end: RegistryEnd, context: Context, { alone }: { readonly alone: boolean }): Context {
  const given = context.arguments.text(end);
  const named = given === undefined ? undefined : registryNamed(given, `flag --${end}`, context);
  return withEnd({ end, named, alone }, context);
}

/**
 * Gives two contexts, each with the registry at one of two addresses.
 * @param addresses as `INGOT_REGISTRY` takes them.
 */
export function atAddresses(
  addresses: Readonly<Record<RegistryEnd, string>>,
  context: Context,
): Readonly<Record<RegistryEnd, Context>> {
  const [from, to] = [serverOriginOf(addresses.from), serverOriginOf(addresses.to)];
  const alone = from === undefined || to === undefined || from === to;
  const at = (end: RegistryEnd): Context =>
    withEnd({ end, named: namedHere(addresses[end], end === 'from' ? 'SRC' : 'DST', context), alone }, context);
  return { from: at('from'), to: at('to') };
}

function withEnd(
  {
    end,
    named,
    alone,
  }: { readonly end: RegistryEnd; readonly named: SettingValue | undefined; readonly alone: boolean },
  context: Context,
): Context {
  const env = { ...context.env, INGOT_TOKEN: tokenOf(end, context.env, alone) };
  const { settings } = context;
  const storage = { ...settings.env, INGOT_TOKEN: tokenOf(end, settings.env, alone) };
  return { ...context, env, settings: withRegistry({ ...settings, env: storage }, named) };
}

/** Says whether both ends are servers, and not one: then `INGOT_TOKEN` could be meant for either. */
export function areTwoServers(context: Context): boolean {
  const [from, to] = [originOf('from', context), originOf('to', context)];
  return from !== undefined && to !== undefined && from !== to;
}

function originOf(end: RegistryEnd, context: Context): string | undefined {
  const given = context.arguments.text(end);
  const text = given === undefined ? context.settings.value('registry')?.text : registryNamed(given, '', context).text;
  return text === undefined ? undefined : serverOriginOf(text);
}

function serverOriginOf(text: string): string | undefined {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text).origin : undefined;
}

function tokenOf(end: RegistryEnd, env: Context['env'], alone: boolean): string | undefined {
  const own = env[TOKENS[end]];
  if (own !== undefined && own !== '') return own;
  return alone ? env.INGOT_TOKEN : undefined;
}

function withRegistry(settings: Settings, named: SettingValue | undefined): Settings {
  if (named === undefined) return settings;
  return {
    ...settings,
    value: (key) => (key === 'registry' ? named : settings.value(key)),
    text: (key) => (key === 'registry' ? named.text : settings.text(key)),
  };
}

function registryNamed(text: string, origin: string, { settings, cwd }: Context): SettingValue {
  const list = settings.value('registries');
  const names = new Map(settings.list('registries').map(pairOf));
  const address = names.get(text);
  if (list !== undefined && address !== undefined) return { ...list, key: 'registry', text: address };
  const isName = /^[A-Za-z0-9_-]+$/.test(text);
  if (isName && names.size > 0)
    throw new IngotError('usage', `there is no registry called "${text}"; there are ${[...names.keys()].join(', ')}`, {
      hint: 'ingot config show --origin   (registries)',
    });
  return namedHere(text, origin, { cwd });
}

function namedHere(text: string, origin: string, { cwd }: Pick<Context, 'cwd'>): SettingValue {
  return { key: 'registry', text, origin, base: cwd, project: false };
}

function pairOf(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  if (at > 0) return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  throw new IngotError('invalid-config', `registries has "${pair}", and takes NAME=ADDRESS, NAME=ADDRESS, …`, {
    hint: 'INGOT_REGISTRIES=staging=https://staging.example.com,production=s3://models/production',
  });
}

import type { Context, Result } from '../context.ts';
import { formatTable } from '../output/table.ts';
import { listSettings, listStorage } from '../settings/settings.ts';

/** `ingot config show [--origin]`: prints every setting. */
export async function run(context: Context): Promise<Result> {
  const settings = listSettings(context.settings);
  const storage = listStorage(context.settings);
  const { out } = context.terminal;
  const withOrigin = context.arguments.isOn('origin');
  const rows = settings.map(({ key, value, origin }) => [
    out.colors.bold(key),
    value ?? out.colors.dim('not set'),
    withOrigin && value !== null ? out.colors.dim(origin) : '',
  ]);
  rows.push(
    ...storage.map(({ name, value, origin }) => [
      out.colors.bold(name),
      value,
      withOrigin ? out.colors.dim(origin) : '',
    ]),
  );
  return {
    json: { settings, storage },
    quiet: [
      ...settings.flatMap(({ key, value }) => (value === null ? [] : [`${key}=${value}`])),
      ...storage.map(({ name, value }) => `${name}=${value}`),
    ],
    human: () =>
      formatTable([{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'ORIGIN' }], rows, {
        width: Number.POSITIVE_INFINITY,
        colors: out.colors,
      }),
  };
}

import { type MirrorRegistryResult, mirrorRegistry } from '@ingot/core/mirror-registry';
import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { assembleStore, type OpenedStore, openStore } from '../open.ts';
import { atAddresses } from '../other-registry.ts';
import { exitCodeOf } from '../output/exit-code.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';
import { registryEnd } from '../registry-end.ts';

/** `ingot mirror SRC DST` where a registry server is at one end: brings versions, aliases and edits that DST lacks. */
export async function mirrorRegistries(
  addresses: { readonly from: string; readonly to: string },
  context: Context,
): Promise<Result> {
  const { arguments: given, progress, signal } = context;
  const [dryRun, models] = [given.isOn('dry-run'), given.list('model').map(parseModelName)];
  const at = atAddresses(addresses, context);
  await using from = await openStore(at.from);
  await using to = await openDestination(at.to, dryRun);
  const started = performance.now();
  const result = await mirrorRegistry({
    from: await registryEnd(from, context),
    to: await registryEnd(to, context),
    ...(models.length === 0 ? {} : { models }),
    aliases: !given.isOn('no-aliases'),
    dryRun,
    signal,
    onProgress: progress.onProgress,
  });
  return told(result, (performance.now() - started) / 1000, context);
}

/** In a dry run a store that is not there yet has no models. */
async function openDestination(there: Context, dryRun: boolean): Promise<OpenedStore> {
  if (!dryRun) return await openStore(there, { creates: true });
  return await assembleStore(there.settings, { now: there.now });
}

function told(result: MirrorRegistryResult, seconds: number, { terminal: { out } }: Context): Result {
  const { versions, bytes, edited, models, aliases, dryRun } = result;
  const moved = aliases.filter(({ error }) => error === undefined);
  const refused = aliases.filter(({ error }) => error !== undefined);
  const [first] = refused.flatMap(({ error }) => error ?? []);
  return {
    json: {
      ...result,
      aliases: aliases.map(({ error, ...alias }) => ({
        ...alias,
        moved: error === undefined,
        error: error === undefined ? null : { code: error.code, message: error.message, hint: error.hint ?? null },
      })),
      seconds: Number(seconds.toFixed(3)),
    },
    quiet: [String(versions.new)],
    human: () => {
      const what = [
        ...(versions.new === 0 ? [] : [`${count(versions.new, 'version')} (${formatBytes(bytes.new)})`]),
        ...(edited === 0 ? [] : [`edits of ${count(edited, 'version')}`]),
        ...(moved.length === 0 ? [] : [count(moved.length, 'alias move')]),
      ].join(', ');
      const did = what === '' ? 'nothing is new' : `${dryRun ? 'would copy' : 'copied'} ${what}`;
      const time = dryRun ? '' : ` in ${seconds.toFixed(1)} s`;
      const lines = refused.map(
        ({ model, alias, error }) =>
          `${out.colors.bold(`${model}@${alias}`)}  ${out.colors.red('did not move')}: ${plain(error?.message ?? '')}\n`,
      );
      return `${did}${time}; ${count(models, 'model')}, ${count(versions.new + versions.there, 'version')} in all\n${lines.join('')}`;
    },
    notes: leftOut(versions.left),
    ...(first === undefined ? {} : { exitCode: exitCodeOf(first.code) }),
  };
}

function leftOut(left: readonly string[]): string[] {
  if (left.length === 0) return [];
  const names = `${left.slice(0, 5).join(', ')}${left.length > 5 ? ', …' : ''}`;
  return [
    `${names}: left out, because higher numbers are there already; \`ingot promote REF --from … --to …\` brings them under other numbers`,
  ];
}

import { planPromotion, type Promotion, type PromotionPlan, promoteBetween } from '@ingot/core/promote';
import { parseAlias, parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { type OpenedStore, openStore } from '../open.ts';
import { areTwoServers, atRegistry } from '../other-registry.ts';
import { plain } from '../output/terminal.ts';
import { formatBytes } from '../output/units.ts';
import { registryEnd } from '../registry-end.ts';
import { checkPromotion } from './promote-check.ts';
import { reasonOf } from './reason.ts';

/** Both registries of a promotion, opened. */
export interface OpenedEnds extends AsyncDisposable {
  readonly from: OpenedStore;
  readonly to: OpenedStore;
  /** The context in which the registry is the one that versions go to. */
  readonly there: Context;
}

/** Opens the registries that `--from` and `--to` name; without a flag, the one that counts anyway. */
export async function openEnds(context: Context, { writes }: { readonly writes: boolean }): Promise<OpenedEnds> {
  const alone = !areTwoServers(context);
  const [here, there] = [atRegistry('from', context, { alone }), atRegistry('to', context, { alone })];
  const from = await openStore(here);
  try {
    const to = await openStore(there, writes ? { creates: true } : {});
    const close = async (): Promise<void> => {
      await to[Symbol.asyncDispose]();
      await from[Symbol.asyncDispose]();
    };
    return { from, to, there, [Symbol.asyncDispose]: close };
  } catch (error) {
    await from[Symbol.asyncDispose]();
    throw error;
  }
}

/** `ingot promote REF [ALIAS] --from A --to B`: brings a version into another registry and points an alias at it there. */
export async function promoteToAnother(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  const alias = parseAlias(context.arguments.argument(1) || 'production');
  const dryRun = context.arguments.isOn('dry-run');
  await using ends = await openEnds(context, { writes: !dryRun });
  const { signal, progress } = context;
  const options = {
    from: await registryEnd(ends.from, context),
    to: await registryEnd(ends.to, context),
    alias,
    signal,
    onProgress: progress.onProgress,
    ...reasonOf(context),
  };
  if (dryRun) return await planned(await planPromotion(reference, options), alias, ends);
  return told(await promoteBetween(reference, options), options, context);
}

/** What is there already may be asked about; of what is not, its conditions are looked at when it is. */
async function planned(plan: PromotionPlan, alias: string, { to, there }: OpenedEnds): Promise<Result> {
  const { model, source, current } = plan;
  const isServer = to.isServer === true;
  const checked =
    plan.there === undefined ? undefined : await checkPromotion({ model, number: plan.there, alias, isServer }, there);
  const facts = {
    model,
    number: source.number,
    digest: source.manifest,
    to: to.address,
    there: plan.there ?? null,
    current,
  };
  const what = `${model}:${source.number}`;
  const copied =
    plan.there === undefined
      ? `${what} would be copied to ${to.address}\n`
      : `${what} is ${model}:${plan.there} there\n`;
  const rest =
    typeof checked?.json === 'object' ? checked.json : { alias, allowed: null, missing: [], protections: null };
  return {
    json: { ...rest, ...facts },
    quiet: checked?.quiet ?? [],
    human: () => plain(copied) + (checked?.human() ?? ''),
    ...(plan.there === undefined && isServer
      ? { notes: [`whether ${alias} may name it is known when it is there: its conditions are those of ${to.address}`] }
      : {}),
    ...(checked?.exitCode === undefined ? {} : { exitCode: checked.exitCode }),
  };
}

function told(
  { source, model, there, version, bytes, attached, move, noted }: Promotion,
  { from, to }: { readonly from: { readonly address: string }; readonly to: { readonly address: string } },
  { terminal: { out } }: Context,
): Result {
  const { colors } = out;
  const name = colors.bold(`${model}@${move.alias}`);
  const number = (of: number | null): string => (of === null ? 'none' : String(of));
  const change =
    move.from === move.to ? `already names ${model}:${move.to}` : `${number(move.from)} → ${number(move.to)}`;
  const copied =
    there === undefined && bytes !== undefined
      ? `${model}:${source.number} of ${from.address} is ${model}:${version.number} of ${to.address} (${formatBytes(bytes.new)} new, ${formatBytes(bytes.stored)} already stored)`
      : `${model}:${source.number} of ${from.address} was ${model}:${version.number} of ${to.address} already`;
  return {
    json: {
      model,
      alias: move.alias,
      from: move.from,
      to: move.to,
      version,
      source: { registry: from.address, number: source.number, digest: source.manifest },
      destination: { registry: to.address, number: version.number },
      copied: there === undefined,
      bytes: bytes ?? { new: 0, stored: 0 },
      attached,
      noted,
    },
    quiet: [`${model}:${version.number}`],
    human: () => `${plain(copied)}\n${name}  ${change}\n`,
    notes: [
      ...(noted ? [] : [`${from.address} takes no writes of yours, so its history does not tell of this`]),
      ...(attached.left === 0
        ? []
        : [
            `${attached.left} attached to it stayed behind: copy signatures through servers with an OCI client (oras cp -r)`,
          ]),
    ],
  };
}

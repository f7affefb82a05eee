import type { ModelName } from '@ingot/core/ref';
import type { AliasMove, Registry, VersionRecord } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';

/** What a move of an alias is told with. */
export interface MoveStory {
  readonly model: ModelName;
  readonly move: AliasMove;
  readonly registry: Registry;
}

/** Tells a move of an alias: `churn@production  7 → 8`. */
export async function aliasMoved(story: MoveStory, context: Context): Promise<Result> {
  const { model, move, registry } = story;
  const version = move.to === null ? null : await readVersion(registry, model, move.to, context);
  const { colors } = context.terminal.out;
  const name = colors.bold(`${model}@${move.alias}`);
  const change =
    move.from === move.to ? `already names ${model}:${move.to}` : `${numberText(move.from)} → ${numberText(move.to)}`;
  return {
    json: { model, alias: move.alias, from: move.from, to: move.to, version },
    quiet: [move.to === null ? model : `${model}:${move.to}`],
    human: () => `${name}  ${change}\n`,
  };
}

async function readVersion(
  registry: Registry,
  name: ModelName,
  number: number,
  context: Context,
): Promise<VersionRecord> {
  return registry.version({ name, selector: { kind: 'version', number } }, context);
}

function numberText(number: number | null): string {
  return number === null ? 'none' : String(number);
}

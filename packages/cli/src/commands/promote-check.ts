import type { ModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** Exit status for what a policy refuses. */
const REFUSED = 6;

/** Says whether an alias may name a version, and what is missing; moves nothing. */
export async function checkPromotion(
  {
    model,
    number,
    alias,
    isServer,
  }: {
    readonly model: ModelName;
    readonly number: number;
    readonly alias: string;
    readonly isServer: boolean;
  },
  context: Context,
): Promise<Result> {
  const path = `/models/${encodeURIComponent(model)}/versions/${number}/check?alias=${encodeURIComponent(alias)}`;
  // Policies are a server's: where there is none, everything may move.
  const checked = isServer
    ? await serverOfRegistry(context).ask(path)
    : { allowed: true, missing: [], protections: [] };
  const { allowed, missing, protections } = checked;
  const lacks = Array.isArray(missing) ? missing.map((each) => plain(String(each))) : [];
  const { colors } = context.terminal.out;
  const what = colors.bold(`${model}@${alias}`);
  return {
    json: { model, number, alias, allowed, missing: lacks, protections },
    quiet: lacks,
    human: () =>
      allowed === true
        ? `${what} may name ${model}:${number}\n`
        : `${what} may not name ${model}:${number}:\n${lacks.map((each) => `  ${each}\n`).join('')}`,
    ...(allowed !== true && { exitCode: REFUSED }),
  };
}

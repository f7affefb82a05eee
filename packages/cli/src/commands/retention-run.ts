import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';
import { serverOfRegistry } from '../server-api.ts';

const MOST_LINES = 30;

/** `ingot retention run [NAME]`: releases the versions that the policies of a registry server let go. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given } = context;
  const name = given.argument(0);
  const model: JsonObject = name === '' ? {} : { model: parseModelName(name) };
  const api = serverOfRegistry(context);
  const ask = (dryRun: boolean) => api.ask('/retention', { method: 'POST', body: { dryRun, ...model } });
  const dryRun = given.isOn('dry-run');
  const plan = await ask(true);
  const planned = listOf(plan.planned);
  if (dryRun || planned.length === 0) return told({ dryRun, planned, released: [], kept: [] }, context);
  await agreed(planned, context);
  const { released, kept } = await ask(false);
  return told({ dryRun, planned, released: listOf(released), kept: listOf(kept) }, context);
}

async function agreed(planned: readonly JsonObject[], context: Context): Promise<void> {
  if (context.arguments.isOn('yes')) return;
  const what = count(planned.length, 'version');
  const shown = planned.slice(0, 5).map(refOf).join(', ');
  const more = planned.length > 5 ? `, ${planned.length - 5} more` : '';
  const answer = context.format === 'human' ? await context.confirm(`release ${what} (${shown}${more})?`) : undefined;
  if (answer === true) return;
  if (answer === false) throw new IngotError('interrupted', 'nothing was released');
  throw new IngotError('usage', `releasing ${what} needs --yes where nobody can be asked`, {
    hint: 'ingot retention run --dry-run   (says which)',
  });
}

interface Told {
  readonly dryRun: boolean;
  readonly planned: readonly JsonObject[];
  readonly released: readonly JsonObject[];
  readonly kept: readonly JsonObject[];
}

function told({ dryRun, planned, released, kept }: Told, context: Context): Result {
  const { bold } = context.terminal.out.colors;
  const gone = dryRun ? planned : released;
  const lines = [
    ...gone.map((each) => `${dryRun ? 'would release' : 'released'} ${bold(refOf(each))}  ${said(each.reason)}`),
    ...kept.map((each) => `kept ${bold(refOf(each))}  ${said(each.why)}`),
  ];
  const shown =
    lines.length <= MOST_LINES
      ? lines
      : [...lines.slice(0, MOST_LINES), `… and ${lines.length - MOST_LINES} more (--json lists all)`];
  const bytes = gone.reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0);
  const total = `${dryRun ? 'would release' : 'released'} ${count(gone.length, 'version')} of ${formatBytes(bytes)}`;
  return {
    json: { dryRun, planned, released, kept },
    quiet: gone.map(refOf),
    human: () => [...shown, total].map((line) => `${line}\n`).join(''),
    notes:
      planned.length === 0
        ? ['no policy lets a version go: ingot policy export shows them']
        : ['contents go with the next `ingot gc` of the store'],
  };
}

function refOf({ model, number }: JsonObject): string {
  return plain(`${String(model)}:${String(number)}`);
}

function said(value: JsonValue | undefined): string {
  return typeof value === 'string' ? plain(value) : '';
}

function listOf(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

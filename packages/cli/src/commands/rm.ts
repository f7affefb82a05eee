import { IngotError } from '@ingot/core/errors';
import type { Reference } from '@ingot/core/ref';
import { parseReference } from '@ingot/core/ref';
import type { Registry } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { count } from '../output/units.ts';
import { reasonOf } from './reason.ts';

/** `ingot rm NAME|REF`: deletes a model with all versions, or one version. */
export async function run(context: Context): Promise<Result> {
  const text = context.arguments.argument(0);
  const reference = parseReference(text);
  const dryRun = context.arguments.isOn('dry-run');
  await using store = await openStore(context, { writes: !dryRun });
  const { registry } = store;
  const plan = /[:@]/.test(text)
    ? await planVersion(registry, reference, context)
    : await planModel(registry, reference, context);
  if (dryRun) return told(plan, 'would delete', context);
  await agreed(plan, context);
  await plan.remove();
  return told(plan, 'deleted', context);
}

interface Plan {
  readonly what: string;
  readonly refs: readonly string[];
  remove(): Promise<void>;
}

async function planModel(registry: Registry, { name }: Reference, context: Context): Promise<Plan> {
  const model = await registry.model(name, context);
  const refs = model.all
    .filter((version) => version.status !== 'deleted')
    .map((version) => `${name}:${version.number}`);
  const aliases = Object.keys(model.aliases).map((alias) => `@${alias}`);
  const what = `${name} with ${count(refs.length, 'version')}${aliases.length === 0 ? '' : ` and ${aliases.join(', ')}`}`;
  return { what, refs, remove: () => registry.deleteModel(name, { signal: context.signal, ...reasonOf(context) }) };
}

async function planVersion(registry: Registry, reference: Reference, context: Context): Promise<Plan> {
  const { model, number } = await registry.resolve(reference, context);
  const exact: Reference = { name: model, selector: { kind: 'version', number } };
  return {
    what: `${model}:${number}`,
    refs: [`${model}:${number}`],
    remove: () => registry.deleteVersion(exact, { signal: context.signal, ...reasonOf(context) }),
  };
}

async function agreed(plan: Plan, context: Context): Promise<void> {
  if (context.arguments.isOn('yes')) return;
  const answer = context.format === 'human' ? await context.confirm(`delete ${plan.what}?`) : undefined;
  if (answer === true) return;
  if (answer === false) throw new IngotError('interrupted', 'nothing was deleted');
  throw new IngotError('usage', `deleting ${plan.what} needs --yes where nobody can be asked`, {
    hint: `ingot rm ${context.arguments.argument(0)} --yes`,
  });
}

function told(plan: Plan, verb: string, context: Context): Result {
  return {
    json: { removed: plan.refs, dryRun: verb !== 'deleted' },
    quiet: plan.refs,
    human: () => `${verb} ${context.terminal.out.colors.bold(plan.what)}\n`,
  };
}

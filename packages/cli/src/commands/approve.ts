import { IngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import type { ApprovalPurpose } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { reasonOf } from './reason.ts';

/** `ingot approve REF [--alias A | --stage S] [--withdraw]`: says, or says no more, that a version may be what an alias names, or be in a stage. */
export async function run(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  const purpose = purposeOf(context);
  await using store = await openStore(context, { writes: true });
  const { number } = await store.registry.resolve(reference, context);
  // What is approved is the version that was meant, and its manifest: not what the reference means a moment later.
  const exact = { name: reference.name, selector: { kind: 'version' as const, number } };
  const { manifest } = await store.registry.version(exact, context);
  const withdraws = context.arguments.isOn('withdraw');
  const options = { signal: context.signal, ...reasonOf(context) };
  const approval = withdraws
    ? await store.registry.withdrawApproval(exact, purpose, options)
    : await store.registry.approve(exact, purpose, { ...options, manifest });
  const ref = `${approval.model}:${number}`;
  const goal = 'alias' in purpose ? `@${purpose.alias}` : `stage ${purpose.stage}`;
  return {
    json: { model: approval.model, modelId: approval.modelId, number, manifest, ...purpose, withdrawn: withdraws },
    quiet: [ref],
    human: () =>
      `${withdraws ? 'your approval of ' : ''}${context.terminal.out.colors.bold(ref)} ${withdraws ? 'for' : 'is approved for'} ${goal}${withdraws ? ' is withdrawn' : ''}\n`,
    notes: store.isServer === true ? [] : ['approvals count where all moves go through a registry server'],
  };
}

function purposeOf({ arguments: given }: Context): ApprovalPurpose {
  const alias = given.text('alias');
  const stage = given.text('stage');
  if (alias !== undefined && stage !== undefined)
    throw new IngotError('usage', 'an approval is for an alias or for a stage, not for both', {
      hint: 'ingot approve churn:8 --alias production',
    });
  return stage === undefined ? { alias: alias ?? 'production' } : { stage };
}

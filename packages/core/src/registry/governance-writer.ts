import { IngotError } from '../errors.ts';
import type { ModelName, Reference } from '../ref.ts';
import { parseAlias } from '../ref.ts';
import { compact } from './fields.ts';
import { appendTo, checkStage, reasoned } from './log-writer.ts';
import type { ModelDirectory } from './model-directory.ts';
import type { ModelState } from './model-fold.ts';
import type { Approval, ApprovalOptions, ApprovalPurpose, HoldRecord, Registry } from './registry.ts';
import { numbered, selectVersion } from './select.ts';

const HOLD = /^[^\p{C}\s](?:[^\p{C}]{0,98}[^\p{C}\s])?$/u;
const MOST_HOLDS = 1000;

/** Makes the methods of a registry that give approvals and put holds on models. */
export function createGovernanceWriter(
  directory: ModelDirectory,
): Pick<Registry, 'approve' | 'withdrawApproval' | 'setHold' | 'releaseHold'> {
  const given = (kind: string, about: About, options: ApprovalOptions) =>
    writeApproval(directory, kind, about, options);
  return {
    approve: (reference, purpose, options = {}) => given('approval-given', { reference, purpose }, options),
    // What older releases do not know changes nothing that they read.
    withdrawApproval: (reference, purpose, options = {}) =>
      given('approval-withdrawn', { reference, purpose, ignorable: true }, options),

    async setHold(name, hold, options = {}) {
      checkHold(hold.hold);
      const model = await directory.open(name, { ...options, toWrite: true });
      await appendTo(
        directory,
        model,
        (state) => {
          if (isHeld(name, state, hold)) return undefined;
          if (hold.number !== null) numbered(name, state, hold.number);
          return {
            kind: 'hold-set',
            body: reasoned({ hold: hold.hold, number: hold.number }, options.reason),
          };
        },
        options,
      );
    },

    async releaseHold(name, hold, options = {}) {
      const model = await directory.open(name, { ...options, toWrite: true });
      await appendTo(
        directory,
        model,
        (state) => {
          if (!state.holds.some((held) => held.hold === hold)) throw noHold(name, state, hold);
          return { kind: 'hold-released', body: reasoned({ hold }, options.reason) };
        },
        options,
      );
    },
  };
}

interface About {
  readonly reference: Reference;
  readonly purpose: ApprovalPurpose;
  readonly ignorable?: true;
}

async function writeApproval(
  directory: ModelDirectory,
  kind: string,
  { reference, purpose, ignorable }: About,
  options: ApprovalOptions,
): Promise<Approval> {
  checkPurpose(purpose);
  const model = await directory.open(reference.name, { ...options, toWrite: true });
  let approved: Pick<Approval, 'number' | 'manifest'> | undefined;
  const { snapshot } = await appendTo(
    directory,
    model,
    (state) => {
      const { number, manifest } = selectVersion(model.name, state, reference.selector);
      if (options.manifest !== undefined && options.manifest !== manifest)
        throw new IngotError('conflict', `version ${number} of "${model.name}" is not the one that was looked at`, {
          hint: `ingot show ${model.name}:${number}`,
          details: { number, manifest, given: options.manifest },
        });
      approved = { number, manifest };
      const body = compact({ number, manifest, ...purpose, role: options.role });
      return { kind, body: reasoned(body, options.reason), ...(ignorable && { ignorable }) };
    },
    options,
  );
  const { number, manifest } = approved ?? selectVersion(model.name, snapshot.state, reference.selector);
  return { model: model.name, modelId: model.id, number, manifest, purpose };
}

function checkPurpose(purpose: ApprovalPurpose): void {
  if ('alias' in purpose) parseAlias(purpose.alias);
  else checkStage(purpose.stage);
}

function checkHold(hold: string): void {
  if (HOLD.test(hold)) return;
  throw new IngotError('invalid-name', `${JSON.stringify(hold.slice(0, 120))} can name no hold`, {
    hint: 'a name of a hold has 1 to 100 characters, none of them a control character, and no space at its ends',
  });
}

function isHeld(name: ModelName, { holds }: ModelState, { hold, number }: HoldRecord): boolean {
  const known = holds.find((held) => held.hold === hold);
  if (known === undefined && holds.length >= MOST_HOLDS)
    throw new IngotError('conflict', `"${name}" has ${holds.length} holds already`, { hint: `ingot hold ls ${name}` });
  if (known === undefined || known.number === number) return known !== undefined;
  throw new IngotError('conflict', `the hold "${hold}" of "${name}" is on ${placeOf(known.number)} already`, {
    hint: 'give it another name',
    details: { hold, number: known.number },
  });
}

function placeOf(number: number | null): string {
  return number === null ? 'the whole model' : `version ${number}`;
}

function noHold(name: ModelName, { holds }: ModelState, hold: string): IngotError {
  return new IngotError('not-found', `"${name}" is not under a hold "${hold.slice(0, 120)}"`, {
    hint: `ingot hold ls ${name}`,
    details: { model: name, holds: holds.map((held) => held.hold) },
  });
}

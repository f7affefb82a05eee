import { IngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import type { ResolvedVersion } from '@ingot/core/registry/registry';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Context, Result } from '../context.ts';
import { type LockedVersion, type LockFile, lockPath, normal, readLock, writeLock } from '../lock-file.ts';
import { lockedResolver } from '../locked-resolver.ts';
import { openStore, type OpenedStore } from '../open.ts';
import { plain } from '../output/terminal.ts';

/** What became of a reference in the lock. */
interface Pin {
  readonly reference: string;
  readonly locked: LockedVersion;
  readonly state: 'added' | 'updated' | 'same';
  readonly before?: LockedVersion;
}

/** `ingot lock [REF…]`: pins references to the versions they name now; without any, compares the lock with the store. */
export async function run(context: Context): Promise<Result> {
  const references = context.arguments.rest(0).map(referenceIn);
  const update = context.arguments.isOn('update');
  const lock = await readLock(lockPath(context.settings, context.cwd));
  if (references.length === 0 && lock.references.size === 0)
    throw new IngotError('usage', `${lock.path} pins nothing: name what to pin`, {
      hint: 'ingot lock churn@production',
    });
  await using store = await openStore(context);
  const wanted = references.length === 0 ? [...lock.references.keys()] : references;
  const pins: Pin[] = [];
  for (const reference of wanted) pins.push(await pin(reference, lock, update, store, context));
  if (pins.some(({ state }) => state !== 'same')) await writeLock(changed(lock, pins));
  return told(pins, lock, context);
}

function referenceIn(text: string): string {
  if (isPlainAddress(text))
    throw new IngotError('usage', `"${text}" is an address, not a reference: only versions of a store are pinned`);
  return normal(parseReference(text));
}

async function pin(
  reference: string,
  lock: LockFile,
  update: boolean,
  { registry }: OpenedStore,
  context: Context,
): Promise<Pin> {
  const before = lock.references.get(reference);
  const parsed = parseReference(reference);
  if (before !== undefined && !update) {
    await lockedResolver(registry, { lock }).resolve(parsed, context);
    return { reference, locked: before, state: 'same' };
  }
  const locked = withoutReference(await registry.resolve(parsed, context));
  if (before === undefined) return { reference, locked, state: 'added' };
  const isSame =
    before.modelId === locked.modelId && before.number === locked.number && before.manifest === locked.manifest;
  return { reference, locked, before, state: isSame ? 'same' : 'updated' };
}

function withoutReference({ reference: _, staleSince: __, ...locked }: ResolvedVersion): LockedVersion {
  return locked;
}

function changed({ path, references }: LockFile, pins: readonly Pin[]): LockFile {
  return {
    path,
    references: new Map([...references, ...pins.map(({ reference, locked }) => [reference, locked] as const)]),
  };
}

function told(pins: readonly Pin[], { path }: LockFile, context: Context): Result {
  const { colors } = context.terminal.out;
  const nameOf = ({ model, number }: LockedVersion): string => `${model}:${number}`;
  return {
    json: {
      path,
      references: pins.map(({ reference, locked, before, state }) => ({
        reference,
        model: locked.model,
        version: locked.number,
        label: locked.label ?? null,
        digest: locked.manifest,
        state,
        previous: before === undefined ? null : nameOf(before),
      })),
    },
    quiet: pins.map(({ locked }) => nameOf(locked)),
    human: () =>
      pins
        .map(({ reference, locked, before, state }) => {
          const from = state === 'updated' && before !== undefined ? `${nameOf(before)} → ` : '';
          return `${colors.bold(plain(reference))}  ${from}${nameOf(locked)}  ${locked.manifest.slice(0, 19)}…  ${state}\n`;
        })
        .join(''),
    notes: [`${path}${pins.every(({ state }) => state === 'same') ? ' is as the store has it' : ''}`],
  };
}

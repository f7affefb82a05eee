import { redactAddress } from '@ingot/core/blob/address';
import type { Digest } from '@ingot/core/digest';
import { type ErrorCode, IngotError, isIngotError } from '@ingot/core/errors';
import { parseReference, type Reference } from '@ingot/core/ref';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import { storeAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { assembleStore, warningsOf } from '../open.ts';
import { openSourceReader } from '../plain-sources.ts';
import { openCache } from '../open-cache.ts';

/** What is known of a model that is deployed. */
export interface DeployedModel {
  readonly name: string;
  readonly source: string;
  /** Undefined for a plain address. */
  readonly reference?: Reference;
  /** Set where the source names one version for ever, and the registry has said which. */
  readonly version?: string;
  readonly digest?: Digest;
  /** Which version the source names now, where the registry has said so. */
  readonly now?: { readonly version: string; readonly digest: Digest };
  /** Where models live, as this machine says it: a path, or an address. */
  readonly registry: string;
  /** Set when nobody could be asked. */
  readonly unknownBecause?: string;
}

/** A registry that says these was reached, and what it says counts. */
const SAID_BY_THE_REGISTRY: ReadonlySet<ErrorCode> = new Set([
  'model-not-found',
  'version-not-found',
  'alias-not-found',
  'integrity',
  'tampered',
  'interrupted',
]);

/**
 * Looks up what a source names. A registry that cannot be reached from here keeps nobody from deploying: then the version
 * is not told in the files.
 * @throws IngotError `model-not-found`, `version-not-found`, `alias-not-found`, `usage`, `refused` for an address that holds a secret.
 */
export async function deployedModel(source: string, context: Context): Promise<DeployedModel> {
  if (/\p{Cc}/u.test(source)) throw new IngotError('usage', 'the source holds control characters');
  if (redactAddress(source) !== source)
    throw new IngotError('refused', `the address of the model, ${redactAddress(source)}, holds a secret`, {
      hint: 'give the address without it, and the secret to the servers by their own way',
    });
  const registry = storeAddress(context.settings).text;
  if (isPlainAddress(source)) return plainModel(source, registry, context);
  const reference = parseReference(source);
  const base = { name: reference.name, source, reference, registry };
  // The registry that comes along has nothing in it yet.
  if (context.arguments.isOn('with-registry')) return base;
  try {
    await using store = await assembleStore(context.settings, {
      now: context.now,
      onWarning: warningsOf(context),
      others: 'wait',
    });
    const { number, manifest } = await store.registry.resolve(reference, { signal: context.signal });
    const stays = reference.selector.kind !== 'latest' && reference.selector.kind !== 'alias';
    const now = { version: String(number), digest: manifest };
    return { ...base, now, ...(stays && now) };
  } catch (error) {
    if (!isIngotError(error) || SAID_BY_THE_REGISTRY.has(error.code)) throw error;
    return { ...base, unknownBecause: error.message };
  }
}

/** A plain address may name files that only the servers reach; its model is called as they would call it. */
async function plainModel(source: string, registry: string, context: Context): Promise<DeployedModel> {
  const { cwd, now, settings, signal } = context;
  await using cache = openCache(settings, now);
  const { record } = await openSourceReader(settings, { cache, cwd, now }).open(source, { signal });
  return { name: record.model, source, registry };
}

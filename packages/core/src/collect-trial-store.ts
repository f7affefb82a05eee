import assert from 'node:assert/strict';
import type { BlobStore } from './blob/blob-store.ts';
import { collect as bytesOf } from './blob/bytes.ts';
import { type BlobCall, observed } from './blob/layers/observed.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { type CollectOptions, collect } from './collect.ts';
import { randomOf } from './seeded-random.ts';
import { pushOnce } from './collect-trial-push.ts';
import { Verifier } from './collect-trial-verify.ts';
import { createStore } from './content/store-format.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

/** The model of the store. */
export const CHURN = parseModelName('churn');

/** An hour in milliseconds. */
export const HOUR_MS = 3_600_000;

/** Makes a store with so many versions, and a clock of its own. */
export async function storeOf(versions: number) {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const clock = () => new Date(nowMs);
  const blobs = createMemoryBlobStore({ now: clock });
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test', clock });
  const random = randomOf(7);
  const push = async (upload: string, through: BlobStore = blobs, chance = random) =>
    pushOnce({
      blobs: through,
      registry: through === blobs ? registry : openLogRegistry({ blobs: through, actor: 'test', clock }),
      name: CHURN,
      upload,
      random: chance,
      packsOfTheDead: [],
      releasesEarly: false,
      now: clock,
    });
  for (let n = 1; n <= versions; n += 1) await push(`upload-${n}`);
  const run = (options: Partial<CollectOptions> = {}) =>
    collect({ blobs, actor: 'gardener', graceMs: 0, repackBelow: 0, clock, ...options });
  const remove = (number: number) => registry.deleteVersion({ name: CHURN, selector: { kind: 'version', number } });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const isWhole = async () => assert.deepEqual(await new Verifier(blobs).missing(true), []);
  return { blobs, registry, push, run, remove, pass, isWhole, clock };
}

/** All keys of a store, or those under a prefix. */
export async function keysOf(blobs: BlobStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list(prefix)) keys.push(key);
  return keys;
}

/** All keys of a store with what lies under them. */
export async function contentsOf(blobs: BlobStore): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const key of await keysOf(blobs)) contents.set(key, (await bytesOf(blobs.read(key))).toString('hex'));
  return contents;
}

/** A store through which somebody stands still before the first call of a kind. */
export interface Stopping {
  readonly blobs: BlobStore;
  /** Resolves when that call is about to be made. */
  readonly standing: Promise<void>;
  /** Lets it be made. */
  readonly goOn: () => void;
}

/** Lets whoever uses the store that is given stand still before a call, until told to go on. */
export function standingStill(inner: BlobStore, before: (call: BlobCall) => boolean): Stopping {
  const stands = moment();
  const goes = moment();
  const blobs = observed(inner, {
    before: async (call) => {
      if (!before(call)) return;
      stands.comes();
      await goes.coming;
    },
  });
  return { blobs, standing: stands.coming, goOn: goes.comes };
}

function moment(): { readonly coming: Promise<void>; readonly comes: () => void } {
  let comes = () => {};
  const coming = new Promise<void>((resolve) => {
    comes = resolve;
  });
  return { coming, comes };
}

import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { heldBack } from '@ingot/core/blob/layers/held-back';
import { outOfReach } from '@ingot/core/blob/layers/out-of-reach';
import { redactAddress } from '@ingot/core/blob/address';
import { openBlobStore } from '@ingot/core/blob/open';
import type { Coding } from '@ingot/core/content/coding';
import type { ContentStore } from '@ingot/core/content/content-store';
import type { StoreFormat } from '@ingot/core/content/store-format';
import { checkWritable, FormatOnce } from '@ingot/core/content/store-format';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { openLogRegistry } from '@ingot/core/registry/open';
import type { Registry, VersionResolver } from '@ingot/core/registry/registry';
import { openRememberedStates } from '@ingot/core/registry/remembered';
import { layoutIn, rememberedDirectory, storeAddress } from './address.ts';
import { forgetNames, namesFile } from './completion/names.ts';
import { contentsWhenNeeded } from './contents-when-needed.ts';
import type { Context } from './context.ts';
import { nearestStore } from './nearest-store.ts';
import { mayBeServer } from './server-address.ts';
import type { Settings } from './settings/settings.ts';

/** A store that a command works with. Disposing it keeps what was learnt of its logs for the next command. */
export interface OpenedStore extends AsyncDisposable {
  readonly address: string;
  readonly blobs: BlobStore;
  /** What `ingot.json` says, read once for all who ask. */
  readonly format: FormatOnce;
  readonly registry: Registry;
  /** Set where a registry server is asked: the store itself is out of reach then, but for contents. */
  readonly isServer?: true;
  /** Set where it is a layout, which is only read. */
  readonly isLayout?: true;
  /** Resolves without asking again for what has not changed; for who resolves the same again and again. */
  readonly following?: VersionResolver;
  readonly contents: ContentStore;
  /** Directory in the cache of what is remembered about the store. */
  readonly remembered: string;
  /** File of the names that a shell completes. */
  readonly names: string;
}

/** What opening needs besides the settings. */
export interface OpenOptions {
  readonly now: () => Date;
  readonly onWarning?: (message: string) => void;
  /** Puts something before the storage. Default: nothing. */
  readonly guard?: (blobs: BlobStore, remembered: string) => BlobStore;
  /** `wait`: a server answers others from it, who are told soon when the storage is away. Default: a command has time. */
  readonly others?: 'wait' | undefined;
}

/** Whoever asks a server is to know within half a minute, also where what they want takes several calls. */
const WHILE_OTHERS_WAIT = { INGOT_RETRIES: '2', INGOT_STORAGE_TIMEOUT: '8' };

/**
 * Puts a store's parts together; nothing is asked of the storage yet.
 * @throws IngotError `usage` for an address that no backend opens.
 */
export async function assembleStore(settings: Settings, options: OpenOptions): Promise<OpenedStore> {
  const address = storeAddress(settings);
  const remembered = rememberedDirectory(settings, address);
  const heard = options.onWarning === undefined ? {} : { onWarning: options.onWarning };
  const layout = layoutIn(address.text);
  if (layout !== undefined) return await openLayout(layout, remembered);
  if (mayBeServer(address)) {
    const offline = settings.isOn('offline') ? offlineError(redactAddress(address.text)) : undefined;
    const { openServer } = await import('./open-server.ts');
    const server = await openServer(address, settings, { ...options, remembered, offline });
    if (server !== undefined) return server;
  }
  const opened = await openBlobs(settings, { ...heard, others: options.others });
  const blobs = options.guard?.(opened, remembered) ?? opened;
  const format = new FormatOnce(blobs);
  const registry = openLogRegistry({
    blobs,
    actor: settings.text('actor') ?? 'unknown',
    clock: options.now,
    memory: openRememberedStates({ directory: remembered }),
    format,
    hints: true,
    ...heard,
  });
  return {
    address: blobs.address,
    blobs,
    format,
    registry,
    contents: contentsWhenNeeded(async () => {
      const { createBlobContentStore } = await import('@ingot/core/content/blob-content-store');
      return createBlobContentStore(blobs, {
        now: options.now,
        format,
        journals: join(remembered, 'uploads'),
        ...codingOf(settings),
      });
    }),
    remembered,
    names: namesFile(remembered),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** A layout on a stick or a share, as `ingot export` makes it. */
async function openLayout(directory: string, remembered: string): Promise<OpenedStore> {
  const { openLayoutRegistry } = await import('@ingot/core/source-layout');
  return { ...(await openLayoutRegistry(directory)), isLayout: true, remembered, names: namesFile(remembered) };
}

/** With `INGOT_OFFLINE` nothing is ever asked of the storage, not even whether it is there. */
async function openBlobs(settings: Settings, options: Pick<OpenOptions, 'onWarning' | 'others'>): Promise<BlobStore> {
  const env = options.others === 'wait' ? { ...WHILE_OTHERS_WAIT, ...settings.env } : settings.env;
  const { onWarning } = options;
  const opened = await openBlobStore(storeAddress(settings).text, { env, ...(onWarning && { onWarning }) });
  return settings.isOn('offline') ? outOfReach(opened, () => offlineError(opened.address)) : opened;
}

function offlineError(address: string): IngotError {
  return new IngotError('unavailable', `INGOT_OFFLINE keeps from asking the store ${address}`, {
    retryable: false,
    hint: 'INGOT_OFFLINE=0 ingot …   (what pull --cached brought once is used without asking)',
  });
}

function codingOf(settings: Settings): { readonly coding?: Coding } {
  return settings.isOn('compress') ? { coding: 'planes4-deflate' } : {};
}

/** Shows warnings on stderr. */
export function warningsOf({ terminal: { err } }: Pick<Context, 'terminal'>): (message: string) => void {
  return (message) => err.write(`${err.colors.yellow('warning')}: ${message}\n`);
}

/** What a command will do with the store. */
export interface StoreUse {
  /** Changes something: a mirror or a governed store refuses. Default: only reads. */
  readonly writes?: boolean;
  /** Makes the store where there is none yet. Default: that is an error. */
  readonly creates?: boolean;
  /** Deletes what nothing needs, which a mirror takes too. Default: only reads. */
  readonly collects?: boolean;
  /** A server answers others from it. Default: a command works with it. */
  readonly serves?: boolean;
  /** Works on the files of the store, which no registry server hands out. Default: asks registry and contents only. */
  readonly files?: boolean;
}

/**
 * Opens the store that the `registry` setting names.
 * @throws IngotError `store-not-found`, `usage` (an address this release does not open), `refused`.
 */
export async function openStore(context: Context, use: StoreUse = {}): Promise<OpenedStore> {
  let probing: Promise<void> | undefined;
  const guard = (blobs: BlobStore, remembered: string): BlobStore => {
    if (use.writes !== true && use.creates !== true && use.collects !== true) return blobs;
    probing = probe(blobs, remembered, context);
    probing.catch(() => {}); // Told where it is waited for.
    return heldBack(blobs, probing, isEarly);
  };
  const store = await assembleStore(context.settings, {
    now: context.now,
    onWarning: warningsOf(context),
    guard,
    others: use.serves === true ? 'wait' : undefined,
  });
  if (store.isLayout === true) {
    if (use.writes === true || use.creates === true || use.collects === true || use.files === true)
      throw (await import('@ingot/core/source-layout-contents')).layoutIsReadOnly(store.address);
    return store;
  }
  // A push has gigabytes to send meanwhile; its first event, and what makes a store, wait.
  if (use.creates !== true) await probing;
  if (store.isServer === true) {
    if (use.collects === true || use.files === true) requireFiles(store);
    if (use.writes === true || use.creates === true) forgetNames(store.names);
    return store;
  }
  const format = await openFormatOf(store, use, context).catch(async (error: unknown) => {
    await probing;
    throw error;
  });
  if (use.writes === true || use.creates === true) {
    checkWritable(format, store.address);
    forgetNames(store.names);
  }
  return { ...store, [Symbol.asyncDispose]: () => disposed(store, probing) };
}

/** Refuses to work on the files of a store where a registry server is asked. Throws `usage`. */
export function requireFiles({ address, isServer }: Pick<OpenedStore, 'address' | 'isServer'>): void {
  if (isServer !== true) return;
  throw new IngotError('usage', `this works on the files of a store, and ${address} is a registry server`, {
    operation: 'open',
    hint: 'INGOT_REGISTRY=ADDRESS ingot …   (ADDRESS: the store that the server was started with)',
  });
}

async function disposed(store: OpenedStore, probing: Promise<void> | undefined): Promise<void> {
  // What it has found is remembered, also when this command had nothing to write.
  await probing?.catch(() => {});
  await store[Symbol.asyncDispose]();
}

async function probe(blobs: BlobStore, remembered: string, context: Context): Promise<void> {
  const another = (): Promise<BlobStore> => openBlobs(context.settings, {});
  const { probeBeforePublishing } = await import('./doctor/probe-before-publishing.ts');
  await probeBeforePublishing(blobs, { ...context, remembered, another });
}

/** What nobody names yet, and has a name of its own: it may be written before it is known what the storage honours. */
function isEarly(key: string): boolean {
  return key.startsWith('packs/') || key.startsWith('changes/');
}

async function openFormatOf(store: OpenedStore, use: StoreUse, { signal, now }: Context): Promise<StoreFormat> {
  if (use.creates === true) return store.format.create({ signal, now });
  try {
    return await store.format.open({ signal });
  } catch (thrown) {
    // A bucket or folder that is not there has its own next step.
    if (!isIngotError(thrown, 'store-not-found') || thrown.operation !== 'store.open') throw thrown;
    const { message, operation, details } = thrown;
    const { address, capabilities } = store.blobs;
    const hint = capabilities.readOnly
      ? 'ingot config show --origin   (says where the address comes from; it is that of a directory with an ingot.json)'
      : 'ingot push PATH   (the first push makes the store; `ingot config show --origin` says who named it)';
    const near = capabilities.localFiles ? await nearestStore(address) : undefined;
    throw new IngotError('store-not-found', message, {
      hint,
      details,
      cause: thrown,
      ...(operation && { operation }),
      ...(near && { nearest: near }),
    });
  }
}

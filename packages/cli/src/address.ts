import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { checkStorageAddress, filePath, storageIdentity } from '@ingot/core/blob/address';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { checkLentSecrets } from './settings/lent-secrets.ts';
import type { Settings, SettingValue } from './settings/settings.ts';
import { resolvePath } from './settings/settings.ts';

/** Where models live. */
export interface StoreAddress {
  /** What `openBlobStore` takes: an absolute path, or `scheme://…`. May hold a secret: not for printing. */
  readonly text: string;
  /** The directory, when it is one of this machine. */
  readonly directory?: string;
}

/**
 * Reads the `registry` setting: a path or a storage address.
 * @throws IngotError `usage` for an address that no backend opens, naming where it comes from; `refused` for a server that must not get the user's secrets.
 */
export function storeAddress(settings: Settings): StoreAddress {
  const value = settings.value('registry');
  if (value === undefined || value.text === '')
    throw new IngotError('usage', 'the registry address is empty', { hint: 'ingot config show --origin' });
  checkLentSecrets(value.text, value, settings);
  return addressOf(value);
}

/**
 * Reads the text of an address: a path that starts at `base` when it is relative, or a storage address.
 * @throws IngotError `usage` for an address that no backend opens, naming its origin.
 */
export function addressOf({ text, origin, base }: Pick<SettingValue, 'text' | 'origin' | 'base'>): StoreAddress {
  const layout = layoutIn(text);
  if (layout !== undefined) return { text: `oci://${resolvePath(layout, base)}` };
  const known = checked(text, origin);
  if (known === undefined) return directoryAddress(resolvePath(text, base));
  if (known.scheme === 'file') return directoryAddress(filePath(text));
  return { text };
}

/** The directory that an address of a layout names: `oci:/media/usb`; undefined for every other address. */
export function layoutIn(text: string): string | undefined {
  return /^oci:(?:\/\/(?=\/))?(?!\/\/)(.+)$/i.exec(text)?.[1];
}

function directoryAddress(directory: string): StoreAddress {
  return { text: directory, directory };
}

function checked(text: string, origin: string): ReturnType<typeof checkStorageAddress> {
  try {
    return checkStorageAddress(text);
  } catch (thrown) {
    if (!isIngotError(thrown)) throw thrown;
    const { hint, nearest } = thrown;
    throw new IngotError(thrown.code, `${thrown.message} (${origin})`, {
      operation: 'open',
      cause: thrown,
      ...(hint === undefined ? {} : { hint }),
      ...(nearest === undefined ? {} : { nearest }),
    });
  }
}

/** Directory of the cache. */
export function cacheRoot(settings: Settings): string {
  const path = settings.path('cache');
  if (path === undefined)
    throw new IngotError('invalid-config', 'the cache directory is empty', { hint: 'ingot config show --origin' });
  return path;
}

/** Directory in the cache of what is remembered about a store. */
export function rememberedDirectory(settings: Settings, address: StoreAddress): string {
  const identity = address.directory ?? storageIdentity(address.text, settings.env);
  const name = createHash('sha256').update(identity).digest('hex').slice(0, 32);
  return join(cacheRoot(settings), 'stores', name);
}

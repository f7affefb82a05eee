import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IngotError } from '@ingot/core/errors';
import type { Settings } from './settings/settings.ts';
import { redact, resolvePath } from './settings/settings.ts';

/** Where models live: a directory of this machine in this release. */
export interface StoreAddress {
  readonly directory: string;
}

/**
 * Reads the `registry` setting: a path or a `file://` address.
 * @throws IngotError `usage` for other schemes, naming what this release opens.
 */
export function storeAddress(settings: Settings): StoreAddress {
  const value = settings.value('registry');
  if (value === undefined || value.text === '')
    throw new IngotError('usage', 'the registry address is empty', { hint: 'ingot config show --origin' });
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(value.text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { directory: resolvePath(value.text, value.base) };
  if (scheme === 'file') return { directory: filePath(value.text) };
  throw new IngotError(
    'usage',
    `"${redact(value.text)}" (${value.origin}): this release opens a path or file://…, not ${scheme}://`,
    {
      operation: 'open',
      hint: 'ingot --registry /path/to/store ls',
    },
  );
}

function filePath(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw new IngotError('usage', `"${text}" is not a file address; write file:///path/to/store`, { cause });
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
  const name = createHash('sha256').update(address.directory).digest('hex').slice(0, 32);
  return join(cacheRoot(settings), 'stores', name);
}

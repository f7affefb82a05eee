import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IngotError } from '../../errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { createLocalBlobStore } from '../local.ts';

/** What opening a directory depends on. */
export interface OpenLocalOptions {
  /** `INGOT_SHARE=yes|no` overrules what the file system says of itself; `INGOT_SHARED=group` lets teammates write. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Types of file systems that other machines may write to (statfs(2)): what one of them writes shows later on another. */
const SHARES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0xff534d42, // CIFS
  0xfe534d42, // SMB2 and later
  0x517b, // SMB of old
  0x65735546, // FUSE: sshfs, s3fs, rclone mount, file sharing of virtual machines
  0x01021997, // 9P
  0x5346414f, // AFS
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x786f4256, // VirtualBox shared folders
  0xbacbacbc, // VMware shared folders
]);

/**
 * Opens a directory, by path or `file://` address, with the rules that suit it: those of a network share when its file
 * system is one, when `INGOT_SHARE=yes`, or when the address ends with `?share=yes`. Nothing is made.
 * @throws IngotError `usage` for a malformed address, `invalid-config` for other values of the variables.
 *
 * @example
 * const store = await openLocalBlobStore('file:///mnt/models?share=yes', { env: process.env });
 */
export async function openLocalBlobStore(address: string, { env }: OpenLocalOptions): Promise<BlobStore> {
  const { directory, query } = placeOf(address);
  const said = yesOrNo(query, `"${address}": share`) ?? yesOrNo(env.INGOT_SHARE, 'INGOT_SHARE');
  const share = said ?? (await isOnShare(directory));
  return createLocalBlobStore(directory, { share, ...(isSharedWithGroup(env) ? { shared: 'group' } : {}) });
}

function placeOf(address: string): { readonly directory: string; readonly query: string | undefined } {
  if (!/^file:/i.test(address)) return { directory: address, query: undefined };
  try {
    const url = new URL(address);
    const query = url.searchParams.get('share') ?? undefined;
    for (const name of url.searchParams.keys()) if (name !== 'share') throw new TypeError(`no option "${name}"`);
    return { directory: fileURLToPath(url), query };
  } catch (cause) {
    throw new IngotError('usage', `"${address}" is not a file address; write file:///path/to/store`, { cause });
  }
}

/** Whether what is made is for the owner's group too. */
function isSharedWithGroup(env: OpenLocalOptions['env']): boolean {
  const value = env.INGOT_SHARED;
  if (value === undefined || value === '') return false;
  if (value === 'group') return true;
  throw new IngotError('invalid-config', `INGOT_SHARED=${value} is not known`, { hint: 'INGOT_SHARED=group' });
}

function yesOrNo(value: string | undefined, what: string): boolean | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'yes' || value === 'no') return value === 'yes';
  throw new IngotError('invalid-config', `${what}=${value} is neither yes nor no`);
}

// The store's directory need not exist yet: its nearest existing parent is on the same file system.
async function isOnShare(directory: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  for (let at = resolve(directory); ; at = dirname(at)) {
    try {
      return SHARES.has(Number((await statfs(at)).type) >>> 0);
    } catch {
      // Not there, or not ours to look at; whoever uses it will be told.
      if (dirname(at) === at) return false;
    }
  }
}

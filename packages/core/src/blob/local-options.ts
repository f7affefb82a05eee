import { stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { IngotError } from '../errors.ts';
import type { LocalBlobStoreOptions } from './local.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Numbers by which Linux tells file systems that another machine, or a program, answers for. */
const SHARES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xfe534d42, // SMB 2 and 3
  0xff534d42, // CIFS
  0x65735546, // FUSE: sshfs, s3fs, rclone mount, exFAT, file sharing of virtual machines
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
 * Reads how a directory is used: `INGOT_SHARE` (`auto`, `yes`, `no`) says whether it is a network share, which `auto` finds
 * out from the file system; `INGOT_SHARED` (`auto`, `private`, `group`) says whether teammates may write, too, which
 * `auto` finds out from the directory's mode.
 * @throws IngotError `invalid-config` for other values.
 */
export async function localOptions(directory: string, env: Environment): Promise<LocalBlobStoreOptions> {
  const share = choiceOf(env, 'INGOT_SHARE', ['auto', 'yes', 'no']) ?? 'auto';
  const shared = sharedOf(env);
  const isShare = share === 'auto' ? await isOnShare(resolve(directory)) : share === 'yes';
  const isGroups = shared === 'auto' ? await isMadeForGroup(directory) : shared === 'group';
  return { share: isShare, ...(isGroups ? { shared: 'group' } : {}) };
}

/**
 * Reads who may use what is written to a directory, here or on another machine.
 * @throws IngotError `invalid-config` for a value that is none.
 */
export function sharedOf(env: Environment): 'auto' | 'private' | 'group' {
  return choiceOf(env, 'INGOT_SHARED', ['auto', 'private', 'group']) ?? 'auto';
}

/** Says whether a directory of this mode hands its group on and lets the group write: somebody made it for a team. */
export const isGroupsMode = (mode: number) => (mode & 0o2020) === 0o2020;

// A writer who forgot to say so would shut teammates out of the whole history.
async function isMadeForGroup(directory: string): Promise<boolean> {
  try {
    return isGroupsMode((await stat(directory)).mode);
  } catch {
    return false;
  }
}

/** A directory that is not there yet will be made on the file system of its nearest parent. */
async function isOnShare(path: string): Promise<boolean> {
  try {
    return SHARES.has((await statfs(path)).type >>> 0);
  } catch {
    // What is wrong with the path shows with the first call, in the words of that call.
    const parent = dirname(path);
    return parent !== path && isOnShare(parent);
  }
}

function choiceOf<const Choice extends string>(
  env: Environment,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = env[name];
  if (value === undefined || value === '') return undefined;
  const choice = choices.find((candidate) => candidate === value.toLowerCase());
  if (choice !== undefined) return choice;
  throw new IngotError('invalid-config', `${name}=${value} is not one of ${choices.join(', ')}`, {
    hint: `${name}=${choices[0]}`,
  });
}

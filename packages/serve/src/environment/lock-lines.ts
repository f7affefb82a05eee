/**
 * A lock as it is recorded with a version: one line a distribution, `name==version --hash=sha256:…`, without the comments
 * and continued lines of an installer's own file.
 */

const HASH = /--hash[= ](sha256:[0-9a-f]{64})/g;
const PIN = /^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)/;

/** Reads what an installer wrote as a lock; what is no pin is left out. */
export function lockLines(lock: string): readonly string[] {
  return lock
    .split(/^(?=[A-Za-z0-9])/m)
    .flatMap((entry) => {
      const pin = PIN.exec(entry)?.[0].replace(/[\\;]$/, '');
      if (pin === undefined) return [];
      const hashes = [...entry.matchAll(HASH)].map(([, hash]) => `--hash=${hash}`);
      return [[pin, ...hashes.sort()].join(' ')];
    })
    .sort();
}

/** Lines that pin what is to be installed, without hashes, for an installer that resolves again: `name==version`. */
export function constraintLines(lock: readonly string[]): readonly string[] {
  return lock.flatMap((line) => PIN.exec(line)?.[0] ?? []);
}

/** Says whether every line of a recorded lock names the files it may be installed from. */
export function isHashed(lock: readonly string[]): boolean {
  return lock.length > 0 && lock.every((line) => PIN.test(line) && /\s--hash=sha256:[0-9a-f]{64}/.test(line));
}

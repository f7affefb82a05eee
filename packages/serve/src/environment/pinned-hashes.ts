import { IngotError } from '@ingot/core/errors';
import type { Requirement } from './requirements.ts';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/;
const HASH = /--hash[= ]((?:sha256|sha384|sha512):[0-9a-f]+)/g;

/**
 * Narrows a lock to the hashes that the requirements themselves name: who pinned a file gets that file or nothing, whatever
 * the index offers today.
 * @throws IngotError `environment-failed` when the index offers none of the pinned files.
 */
export function keepPinnedHashes(lock: string, requirements: readonly Requirement[]): string {
  const pinned = new Map(
    requirements.flatMap((requirement) => {
      const hashes = hashesOf(requirement.text);
      return hashes.length === 0 ? [] : [[nameOf(requirement.text), { hashes, requirement }] as const];
    }),
  );
  if (pinned.size === 0) return lock;
  return entriesOf(lock)
    .map((entry) => {
      const pin = pinned.get(nameOf(entry));
      return pin === undefined ? entry : narrowed(entry, pin.hashes, pin.requirement);
    })
    .join('');
}

function narrowed(entry: string, hashes: readonly string[], { text, line }: Requirement): string {
  const offered = hashesOf(entry);
  const kept = offered.length === 0 ? hashes : offered.filter((hash) => hashes.includes(hash));
  if (kept.length > 0) {
    const [first = ''] = entry.split(/\s*\\?\n/, 1);
    return `${[first, ...kept.map((hash) => `    --hash=${hash}`)].join(' \\\n')}\n`;
  }
  throw new IngotError(
    'environment-failed',
    `requirements.txt:${line}: the index offers no file of ${text.split(/\s+--hash/, 1)[0]} with a hash that is named there`,
    { details: { wanted: [...hashes], offered: [...offered] } },
  );
}

/** Entries of a lock with the lines that continue or explain them. */
function entriesOf(lock: string): readonly string[] {
  return lock.split(/^(?=[A-Za-z0-9])/m);
}

function hashesOf(text: string): readonly string[] {
  return [...text.matchAll(HASH)].map(([, hash]) => hash ?? '');
}

/** A name as all its spellings are one: `Scikit_Learn` is `scikit-learn`. */
function nameOf(text: string): string {
  return (NAME.exec(text)?.[0] ?? '').toLowerCase().replace(/[-_.]+/g, '-');
}

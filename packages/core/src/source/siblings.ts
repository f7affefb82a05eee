import { isIngotError } from '../errors.ts';
import { withoutExtension } from './choose.ts';
import type { SourceFileFacts, SourcePlace } from './place.ts';

/** A file that belongs to another by its name, and what it is called in the package. */
export interface Sibling {
  readonly facts: SourceFileFacts;
  readonly as: 'metadata.yaml' | 'metadata.json' | 'requirements.txt';
}

const KINDS: readonly (readonly [ending: string, as: Sibling['as']])[] = [
  ['.metadata.yaml', 'metadata.yaml'],
  ['.metadata.yml', 'metadata.yaml'],
  ['.metadata.json', 'metadata.json'],
  ['.requirements.txt', 'requirements.txt'],
];

/**
 * Finds metadata and requirements that are named after a file: `churn_v2.metadata.yaml` and `churn_v2.requirements.txt`
 * belong to `churn_v2.pkl` and to nothing else; a plain `requirements.txt` beside it may belong to anything.
 */
export async function siblingsOf(
  path: string,
  place: SourcePlace,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Sibling[]> {
  const cut = path.lastIndexOf('/') + 1;
  const stem = path.slice(0, cut) + withoutExtension(path.slice(cut));
  const found = await Promise.all(
    KINDS.map(async ([ending, as]) => ({ facts: await fileOrNothing(`${stem}${ending}`), as })),
  );
  const taken = new Set<string>();
  return found.flatMap(({ facts, as }) => {
    if (facts === undefined || facts.path === path || taken.has(as)) return [];
    taken.add(as);
    return [{ facts, as }];
  });

  // A bucket that may not be listed says "forbidden" of every name it does not have.
  async function fileOrNothing(name: string): Promise<SourceFileFacts | undefined> {
    try {
      return await place.file(name, options);
    } catch (error) {
      if (isIngotError(error, 'forbidden')) return undefined;
      throw error;
    }
  }
}

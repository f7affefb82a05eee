import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import type { VerbSpec } from './verb.ts';
import { LATER_VERBS, VERBS } from './verbs.ts';

/** A verb as it was typed, and the words that belong to it. */
export interface FoundVerb {
  /** `['alias', 'set']`. */
  readonly path: readonly string[];
  readonly verb: VerbSpec;
  readonly words: readonly string[];
}

/**
 * Finds the verb in a command line; flags may stand before it (`ingot --json ls`).
 * @throws IngotError `usage` for a word that is no verb, naming the nearest or saying that it comes later.
 */
export function findVerb(words: readonly string[]): FoundVerb | undefined {
  return descend(VERBS, words, []);
}

function descend(verbs: readonly VerbSpec[], words: readonly string[], path: readonly string[]): FoundVerb | undefined {
  const at = firstWord(words);
  const name = words[at];
  if (name === undefined) return undefined;
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb === undefined) throw unknownVerb(name, verbs, path);
  const rest = [...words.slice(0, at), ...words.slice(at + 1)];
  const found = { path: [...path, name], verb, words: rest };
  return verb.verbs === undefined ? found : (descend(verb.verbs, rest, found.path) ?? found);
}

function firstWord(words: readonly string[]): number {
  for (let index = 0; index < words.length; index++) {
    if (words[index] === '--registry') index += 1;
    else if (!words[index]?.startsWith('-')) return index;
  }
  return -1;
}

function unknownVerb(name: string, verbs: readonly VerbSpec[], path: readonly string[]): IngotError {
  const typed = ['ingot', ...path, name].join(' ');
  if (path.length === 0 && LATER_VERBS.includes(name)) {
    return new IngotError('usage', `"${typed}" is not in this release`, { hint: 'ingot --help' });
  }
  const meant = nearest(
    name,
    verbs.map((verb) => verb.name),
  );
  return new IngotError('usage', `"${typed}" is not a command`, {
    hint: ['ingot', ...path, '--help'].join(' '),
    ...(meant === undefined ? {} : { nearest: ['ingot', ...path, meant].join(' ') }),
  });
}

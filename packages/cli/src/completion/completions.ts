import { rememberedDirectory, storeAddress } from '../address.ts';
import type { Settings } from '../settings/settings.ts';
import type { ArgumentSpec, Completion, OptionSpec, VerbSpec } from '../verbs/verb.ts';
import { GLOBAL_OPTIONS } from '../verbs/verb.ts';
import { VERBS } from '../verbs/verbs.ts';
import type { Names } from './names.ts';
import { namesFile, recallNames } from './names.ts';

const MAX_AGE_MS = 3_600_000;

/** Tells the shell's script to offer files. */
export const OFFER_FILES = ':files';

/** Tells the shell's script to offer directories. */
export const OFFER_DIRECTORIES = ':directories';

/**
 * Gives what may stand for the last of `words` (which may be empty), one a line. Never fails: a shell shows nothing
 * better than an error.
 */
export async function completions(words: readonly string[], settings: Settings, now: Date): Promise<readonly string[]> {
  const last = words.at(-1) ?? '';
  const offered = offer(words.slice(0, -1), last);
  if (offered === 'model' || offered === 'reference') {
    return startingWith(last, references(await readNames(settings, now), last, offered));
  }
  if (offered === 'file') return [OFFER_FILES];
  if (offered === 'directory') return [OFFER_DIRECTORIES];
  return startingWith(last, offered);
}

function startingWith(prefix: string, candidates: readonly string[]): readonly string[] {
  return candidates.filter((candidate) => candidate.startsWith(prefix));
}

/** Decides what the word after `before` is: a verb, a flag, a flag's value or an argument. */
function offer(before: readonly string[], last: string): Completion {
  let verbs: readonly VerbSpec[] | undefined = VERBS;
  let verb: VerbSpec | undefined;
  let argument = 0;
  for (let index = 0; index < before.length; index++) {
    const word = before[index] ?? '';
    const option = word.startsWith('-') ? findOption(verb, word) : undefined;
    if (word.startsWith('-')) {
      if (option?.value === undefined || word.includes('=')) continue;
      index += 1;
      if (index >= before.length) return option.complete ?? [];
    } else if (verbs !== undefined) {
      verb = verbs.find((candidate) => candidate.name === word);
      if (verb === undefined) return [];
      verbs = verb.verbs;
    } else argument += 1;
  }
  if (last.startsWith('-')) return optionsOf(verb).map((option) => `--${option.name}`);
  if (verbs !== undefined) return verbs.map((candidate) => candidate.name);
  return argumentAt(verb?.args ?? [], argument)?.complete ?? [];
}

function argumentAt(specs: readonly ArgumentSpec[], index: number): ArgumentSpec | undefined {
  const last = specs.at(-1);
  return specs[index] ?? (last?.many === true ? last : undefined);
}

function optionsOf(verb: VerbSpec | undefined): readonly OptionSpec[] {
  return [...(verb?.options ?? []), ...GLOBAL_OPTIONS];
}

function findOption(verb: VerbSpec | undefined, word: string): OptionSpec | undefined {
  return optionsOf(verb).find(
    (option) => word === `-${option.short}` || word.replace(/=.*/s, '') === `--${option.name}`,
  );
}

function references(names: Names, last: string, wanted: 'model' | 'reference'): readonly string[] {
  const models = Object.keys(names);
  if (wanted === 'model' || !last.includes('@')) return models;
  const model = last.slice(0, last.indexOf('@'));
  return (names[model] ?? []).map((alias) => `${model}@${alias}`);
}

async function readNames(settings: Settings, now: Date): Promise<Names> {
  try {
    const file = namesFile(rememberedDirectory(settings, storeAddress(settings)));
    const known = recallNames(file, now, MAX_AGE_MS);
    if (known !== undefined) return known;
    const { refreshNames } = await import('./refresh-names.ts');
    return (await refreshNames(settings, now)) ?? {};
  } catch {
    return {};
  }
}

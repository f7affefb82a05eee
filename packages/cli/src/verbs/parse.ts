import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import { Command, CommanderError, Option } from 'commander';
import type { ArgumentSpec, OptionSpec, VerbSpec } from './verb.ts';
import { GLOBAL_OPTIONS } from './verb.ts';

/** What was typed after a verb, checked against its description. */
export interface ParsedArguments {
  /** The positional argument at an index; empty when an optional one is missing. */
  argument(index: number): string;
  /** All positional arguments from an index on. */
  rest(index: number): readonly string[];
  /** A flag's value. */
  text(name: string): string | undefined;
  /** All values of a flag that may be repeated. */
  list(name: string): readonly string[];
  /** Whether a switch was given. */
  isOn(name: string): boolean;
}

/**
 * Reads the words after a verb.
 * @throws IngotError `usage` naming what is unknown, missing or too much.
 */
export function parseVerb(path: readonly string[], verb: VerbSpec, words: readonly string[]): ParsedArguments {
  const command = new Command(['ingot', ...path].join(' '));
  command.exitOverride().helpOption(false).allowExcessArguments(false).showSuggestionAfterError(false);
  command.configureOutput({ writeErr: () => {}, outputError: () => {} });
  for (const argument of verb.args ?? []) command.argument(argumentSyntax(argument));
  const options = [...(verb.options ?? []), ...GLOBAL_OPTIONS];
  for (const option of options) command.addOption(commanderOption(option));
  try {
    command.parse([...words], { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError) throw usageError(thrown, path, options, words);
    throw thrown;
  }
  return parsed(command);
}

function argumentSyntax(argument: ArgumentSpec): string {
  const name = argument.many === true ? `${argument.name}...` : argument.name;
  return argument.optional === true ? `[${name}]` : `<${name}>`;
}

function commanderOption(spec: OptionSpec): Option {
  const value = spec.value === undefined ? '' : ` <${spec.value}>`;
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  const option = new Option(`${short}--${spec.name}${value}`);
  if (Array.isArray(spec.complete)) option.choices(spec.complete);
  const choose = option.parseArg;
  if (spec.many === true)
    option.argParser((text: string, before: readonly string[] | undefined) => {
      choose?.(text, undefined);
      return [...(before ?? []), text];
    });
  return option.makeOptionMandatory(spec.required === true);
}

function parsed(command: Command): ParsedArguments {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const of = (name: string): unknown => options[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
  const list = (name: string): readonly string[] => {
    const value = of(name);
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  };
  return {
    argument: (index) => command.args[index] ?? '',
    rest: (index) => command.args.slice(index),
    text: (name) => {
      const value = of(name);
      return typeof value === 'string' ? value : undefined;
    },
    list,
    isOn: (name) => (name.startsWith('no-') ? of(name.slice(3)) === false : of(name) === true),
  };
}

function usageError(
  error: CommanderError,
  path: readonly string[],
  options: readonly OptionSpec[],
  words: readonly string[],
): IngotError {
  const message =
    error.message
      .replace(/^error: /, '')
      .replaceAll("'", '"')
      .split('\n')[0] ?? '';
  const hint = `ingot ${path.join(' ')} --help`;
  if (error.code !== 'commander.unknownOption') return new IngotError('usage', message, { hint });
  const unknown =
    /"(-[^"]*)"/.exec(message)?.[1]?.replace(/=.*/s, '') ?? words.find((word) => word.startsWith('-')) ?? '';
  const meant = nearest(
    unknown,
    options.map((option) => `--${option.name}`),
  );
  return new IngotError('usage', `ingot ${path.join(' ')} has no flag ${unknown}`, {
    hint,
    ...(meant === undefined ? {} : { nearest: meant }),
  });
}

/** Splits `K=V`. Throws `usage`. */
export function parsePair(text: string, flag: string): readonly [key: string, value: string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new IngotError('usage', `${flag} takes K=V, and "${text}" has no key and "="`);
}

/**
 * Reads several `K=V` whose values are numbers. A name may hold `=`, as CatBoost's `Quantile:alpha=0.9` does: no number
 * does, so the last one counts. Throws `usage`.
 */
export function parseMetrics(pairs: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      parsePair(pair, '--metric');
      const at = Math.max(pair.lastIndexOf('='), 1);
      const [key, value] = [pair.slice(0, at), pair.slice(at + 1)];
      const number = value.trim() === '' ? Number.NaN : Number(value);
      if (!Number.isFinite(number))
        throw new IngotError('usage', `--metric ${key} is "${value}"; a metric is a number`);
      return [key, number];
    }),
  );
}

/** Reads several `K=V`. Throws `usage`. */
export function parseTags(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs.map((pair) => parsePair(pair, '--tag')));
}

import type { ArgumentSpec, OptionSpec, VerbSpec } from './verb.ts';
import { GLOBAL_OPTIONS } from './verb.ts';
import { VERBS } from './verbs.ts';

const TITLES: readonly (readonly [group: VerbSpec['group'], title: string])[] = [
  ['package', 'Packages'],
  ['store', 'Models and versions'],
  ['serve', 'Predictions, and the way to production'],
  ['server', 'The registry server'],
  ['tool', 'This machine'],
];

/** Writes the help of the whole command line. */
export function helpOfAll(): string {
  const width = Math.max(...VERBS.map((verb) => verb.name.length));
  const groups = TITLES.map(([group, title]) => {
    const lines = VERBS.filter((verb) => verb.group === group).map(
      (verb) => `  ${verb.name.padEnd(width)}  ${verb.about}`,
    );
    return `${title}\n${lines.join('\n')}\n`;
  });
  return `ingot takes a trained model to a production API, on storage you already have.

Usage: ingot COMMAND …        ingot COMMAND --help

${groups.join('\n')}
Every command takes
${optionLines(GLOBAL_OPTIONS)}
  --version           print the version

Start with
  ingot push ./churn --alias production
  ingot serve churn@production
`;
}

/** Writes the help of one verb, or of a group of verbs. */
export function helpOf(path: readonly string[], verb: VerbSpec): string {
  const typed = ['ingot', ...path].join(' ');
  if (verb.verbs !== undefined) {
    const lines = rows(verb.verbs.map((inner) => [`${inner.name} ${usageArguments(inner)}`, inner.about]));
    return `${capital(verb.about)}\n\nUsage: ${typed} COMMAND …\n\n${lines}\n`;
  }
  const parts = [`${capital(verb.about)}\n\nUsage: ${typed} ${usageArguments(verb)}`.trimEnd()];
  if (verb.args !== undefined)
    parts.push(`Arguments\n${rows(verb.args.map((argument) => [argument.name, argument.about]))}`);
  if (verb.options !== undefined) parts.push(`Flags\n${optionLines(verb.options)}`);
  parts.push(`Every command takes\n${optionLines(GLOBAL_OPTIONS)}`);
  if (verb.examples !== undefined) parts.push(`Examples\n${verb.examples.map((line) => `  ${line}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

/** Writes one flag as a user types it: `-o, --output DIR`. */
export function flagOf(option: OptionSpec): string {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  return `${short}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`;
}

function optionLines(options: readonly OptionSpec[]): string {
  return rows(
    options.map((option) => [flagOf(option), option.many === true ? `${option.about} (repeatable)` : option.about]),
  );
}

function usageArguments(verb: VerbSpec): string {
  const required = (verb.options ?? []).filter((option) => option.required === true).map(flagOf);
  const others = (verb.options ?? []).length > required.length ? ['[flags]'] : [];
  return [...(verb.args ?? []).map(usageArgument), ...required, ...others].join(' ');
}

function usageArgument(argument: ArgumentSpec): string {
  const name = argument.many === true ? `${argument.name}…` : argument.name;
  return argument.optional === true ? `[${name}]` : name;
}

function rows(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

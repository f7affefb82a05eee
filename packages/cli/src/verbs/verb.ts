/**
 * A *verb* is one command of the command line, described as data: help, parsing, completion and the pinned surface all
 * read the same description, and none of them loads the command's code.
 */

/** One positional argument. */
export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  /** Default: required. */
  readonly optional?: boolean;
  /** Takes all that is left. */
  readonly many?: boolean;
  /** What a shell may offer for it. */
  readonly complete?: Completion;
}

/** What a shell may offer: names of models, references, files, directories, or a closed set of words. */
export type Completion = 'model' | 'reference' | 'file' | 'directory' | readonly string[];

/** One flag. Without `value` it is a switch. */
export interface OptionSpec {
  /** Without dashes: `allow-setup`. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** Name of its value in the help: `DIR`. */
  readonly value?: string;
  readonly about: string;
  /** May be given several times. */
  readonly many?: boolean;
  /** Must be given. */
  readonly required?: boolean;
  readonly complete?: Completion;
  /** Key of the setting that this flag overrides. */
  readonly setting?: string;
}

/** A verb, or a group of verbs (`alias set`). */
export interface VerbSpec {
  readonly name: string;
  readonly about: string;
  readonly group: 'package' | 'store' | 'serve' | 'server' | 'tool';
  readonly args?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly verbs?: readonly VerbSpec[];
  /** Whether the same command, given again after an interruption, goes on where it stopped. Default: it does not. */
  readonly resumes?: boolean;
  /** Lines for the help, each a whole command. */
  readonly examples?: readonly string[];
}

/** Flags that every verb takes. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'json', about: 'print one JSON document' },
  { name: 'quiet', about: 'print only the reference' },
  {
    name: 'registry',
    value: 'ADDRESS',
    about: 'where models live (default: INGOT_REGISTRY, else ~/.ingot/store)',
    complete: 'directory',
    setting: 'registry',
  },
  { name: 'no-color', about: 'print without colors' },
  { name: 'help', short: 'h', about: 'show help' },
];

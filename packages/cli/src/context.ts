import type { IngotError } from '@ingot/core/errors';
import type { ProgressDisplay } from './output/progress.ts';
import type { Terminal } from './output/terminal.ts';
import type { Settings } from './settings/settings.ts';
import type { ParsedArguments } from './verbs/parse.ts';

/** How a command's result is printed. */
export type Format = 'human' | 'json' | 'quiet';

/** What a command gets from the outside. */
export interface Context {
  readonly arguments: ParsedArguments;
  readonly settings: Settings;
  readonly terminal: Terminal;
  readonly format: Format;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly progress: ProgressDisplay;
  /** All of standard input. */
  readStdin(): Promise<Uint8Array>;
  /** Calls the listener when standard input is a pipe and its other end is gone. */
  onInputClosed(listener: () => void): void;
  /** Asks a yes-or-no question on a terminal; undefined where there is none. */
  confirm(question: string): Promise<boolean | undefined>;
  /** Asks for a secret on a terminal, where it is not shown; undefined where there is none. */
  secret(question: string): Promise<string | undefined>;
}

/** A command's result, in each form it may be printed in. */
export interface Result {
  /** The document of `--json`. */
  readonly json: unknown;
  /** What `--quiet` prints: references or paths, one a line. */
  readonly quiet: readonly string[];
  /** Text for people, on stdout. */
  readonly human: () => string;
  /** Hints for people, on stderr. */
  readonly notes?: readonly string[];
  /** Exit status of a command that worked and found something wrong. Default: 0. */
  readonly exitCode?: number;
  /** What the result amounts to, when that is an error: sets the exit status, and is the error document of `--json`. */
  readonly failure?: IngotError;
}

/** The code of a verb. Gives nothing when it printed by itself (a server, a stream). */
export type Run = (context: Context) => Promise<Result | undefined>;

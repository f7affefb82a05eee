import { IngotError } from '@ingot/core/errors';
import { loadCommand } from './commands/load-command.ts';
import type { Context, Format, Result } from './context.ts';
import { exitCodeOf } from './output/exit-code.ts';
import { errorDocument, formatError, toIngotError } from './output/format-error.ts';
import { openProgress, type ProgressDisplay } from './output/progress.ts';
import { openProgressEvents } from './output/progress-events.ts';
import type { StreamLike, Terminal } from './output/terminal.ts';
import { openOutput } from './output/terminal.ts';
import { readLayers } from './settings/layers.ts';
import type { SettingKey } from './settings/setting-keys.ts';
import { isSettingKey } from './settings/setting-keys.ts';
import type { Settings, SettingsHost } from './settings/settings.ts';
import { withheldFrom } from './settings/lent-secrets.ts';
import { createSettings } from './settings/settings.ts';
import { findVerb } from './verbs/find-verb.ts';
import { helpOf, helpOfAll } from './verbs/help.ts';
import type { ParsedArguments } from './verbs/parse.ts';
import type { VerbSpec } from './verbs/verb.ts';
import { GLOBAL_OPTIONS } from './verbs/verb.ts';

/** What a command line needs from its process. */
export interface Host
  extends SettingsHost,
    Pick<Context, 'signal' | 'now' | 'readStdin' | 'onInputClosed' | 'confirm' | 'secret'> {
  /** Puts storage variables where the clouds' own clients look for them. */
  provide(variables: readonly { readonly name: string; readonly text: string }[]): void;
  /** Hears the settings of the command before it runs. */
  readonly onSettings?: (settings: Settings) => void;
  readonly stdout: StreamLike;
  readonly stderr: StreamLike;
}

/** Runs one command line and gives its exit status. Never throws. */
export async function run(words: readonly string[], host: Host): Promise<number> {
  const flags = beforeTerminator(words);
  const terminal = openTerminal(flags, host);
  try {
    return await dispatch(words, host, terminal);
  } catch (thrown) {
    return reportError(host.signal.aborted ? interruptedBy(thrown, words) : thrown, words, host);
  }
}

/** Tells an error on stderr, for people or as JSON, and gives the exit status it means. */
export function reportError(thrown: unknown, words: readonly string[], host: Host): number {
  const flags = beforeTerminator(words);
  const { err } = openTerminal(flags, host);
  const debug = /^(?:1|true|yes)$/i.test(host.env.INGOT_DEBUG ?? '');
  const error = toIngotError(thrown);
  if (!flags.includes('--json') || debug) err.write(formatError(error, err.colors, { debug }));
  if (flags.includes('--json')) err.write(`${JSON.stringify(errorDocument(error))}\n`);
  return exitCodeOf(error.code);
}

/** After Ctrl-C whatever fails, fails because of it; errors about bytes are still worth telling. */
function interruptedBy(thrown: unknown, words: readonly string[]): unknown {
  if (thrown instanceof IngotError && (thrown.code === 'integrity' || thrown.code === 'tampered')) return thrown;
  const resumes = findVerb(words)?.verb.resumes === true;
  return new IngotError('interrupted', 'interrupted', {
    cause: thrown,
    ...(resumes ? { hint: 'the same command again; it goes on where this one stopped' } : {}),
  });
}

function openTerminal(flags: readonly string[], host: Host): Terminal {
  const allowed = !flags.includes('--no-color') && (host.env.NO_COLOR ?? '') === '' && host.env.TERM !== 'dumb';
  const rules = { allowed, forced: (host.env.FORCE_COLOR ?? '') !== '' && host.env.FORCE_COLOR !== '0' };
  return { out: openOutput(host.stdout, rules), err: openOutput(host.stderr, rules) };
}

function beforeTerminator(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return end < 0 ? words : words.slice(0, end);
}

async function dispatch(words: readonly string[], host: Host, terminal: Terminal): Promise<number> {
  const asked = words[0] === 'help' ? [...words.slice(1), '--help'] : words;
  const found = findVerb(asked);
  const help = beforeTerminator(asked).some((word) => word === '--help' || word === '-h');
  if (found === undefined) {
    if (!help) throw new IngotError('usage', 'no command was given', { hint: 'ingot --help' });
    terminal.out.write(helpOfAll());
    return 0;
  }
  if (help) {
    terminal.out.write(helpOf(found.path, found.verb));
    return 0;
  }
  if (found.verb.verbs !== undefined) {
    const names = found.verb.verbs.map((verb) => verb.name).join(', ');
    throw new IngotError('usage', `ingot ${found.path.join(' ')} needs one of: ${names}`, {
      hint: `ingot ${found.path.join(' ')} --help`,
    });
  }
  const { parseVerb } = await import('./verbs/parse.ts');
  return execute(found.path, found.verb, parseVerb(found.path, found.verb, found.words), host, terminal);
}

async function execute(
  path: readonly string[],
  verb: VerbSpec,
  parsed: ParsedArguments,
  host: Host,
  terminal: Terminal,
): Promise<number> {
  const format = formatOf(parsed);
  const settings = await readSettings(verb, parsed, host, terminal);
  host.onSettings?.(settings);
  const progress = openDisplay(format, host, terminal);
  const context: Context = { ...host, arguments: parsed, settings, terminal, format, progress };
  const command = await loadCommand(path);
  try {
    const result = await command(context);
    progress.clear();
    if (result === undefined) return 0;
    print(result, context);
    return result.failure === undefined ? (result.exitCode ?? 0) : exitCodeOf(result.failure.code);
  } finally {
    progress.clear();
  }
}

/** A program that runs the command (the Python package does) asks for progress that it can read. */
function openDisplay(format: Format, host: Host, terminal: Terminal): ProgressDisplay {
  const now = () => performance.now();
  if (host.env.INGOT_PROGRESS === 'json' && format === 'json') return openProgressEvents(terminal.err, now);
  return openProgress(terminal.err, now, { silent: format === 'quiet' });
}

function formatOf(parsed: ParsedArguments): Format {
  if (parsed.isOn('json') && parsed.isOn('quiet'))
    throw new IngotError('usage', '--json and --quiet exclude each other');
  return parsed.isOn('json') ? 'json' : parsed.isOn('quiet') ? 'quiet' : 'human';
}

async function readSettings(
  verb: VerbSpec,
  parsed: ParsedArguments,
  host: Host,
  terminal: Terminal,
): Promise<Settings> {
  const flags = new Map<SettingKey, string>();
  for (const option of [...(verb.options ?? []), ...GLOBAL_OPTIONS]) {
    const text =
      option.value === undefined ? (parsed.isOn(option.name) ? 'true' : undefined) : parsed.text(option.name);
    if (option.setting !== undefined && isSettingKey(option.setting) && text !== undefined)
      flags.set(option.setting, text);
  }
  const { layers, storage, warnings } = await readLayers(flags, host);
  host.provide(storage.given);
  const settings = createSettings(layers, host, storage);
  for (const warning of [...warnings, ...withheldFrom(settings)])
    terminal.err.write(`${terminal.err.colors.yellow('warning')}: ${warning}\n`);
  return settings;
}

function print(result: Result, context: Context): void {
  const { out, err } = context.terminal;
  if (context.format !== 'human' && result.failure !== undefined) {
    const { failure } = result;
    err.write(
      context.format === 'json' ? `${JSON.stringify(errorDocument(failure))}\n` : formatError(failure, err.colors),
    );
  }
  if (context.format === 'json') out.write(`${JSON.stringify(result.json)}\n`);
  else if (context.format === 'quiet') out.write(result.quiet.map((line) => `${line}\n`).join(''));
  else {
    out.write(result.human());
    for (const note of result.notes ?? []) err.write(`${err.colors.dim(note)}\n`);
  }
}

import type { Log } from '@ingot/serve/log';
import type { Context } from '../context.ts';
import { plain } from './terminal.ts';

/** Writes a server's log lines to stderr: time, level, text, and facts as JSON. */
export function logTo(context: Context): Log {
  const { err } = context.terminal;
  if (context.settings.text('log') === 'json') return jsonLines(context);
  const paint = { info: err.colors.dim, warn: err.colors.yellow, error: err.colors.red };
  return (level, message, facts) => {
    context.progress.clear();
    const time = context.now().toISOString().slice(11, 19);
    const more =
      facts === undefined || Object.keys(facts).length === 0 ? '' : `  ${err.colors.dim(JSON.stringify(facts))}`;
    err.write(
      `${err.colors.dim(time)} ${paint[level](level.padEnd(5))} ${message.split('\n').map(plain).join('\n  ')}${more}\n`,
    );
  };
}

/** One object a line, for machines: `at`, `level`, `message`, and the facts. */
function jsonLines({ terminal: { err }, now }: Context): Log {
  return (level, message, facts) =>
    err.write(`${JSON.stringify({ ...facts, at: now().toISOString(), level, message })}\n`);
}

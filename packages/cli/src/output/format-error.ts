import type { ErrorCode } from '@ingot/core/errors';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import type { Colors } from './terminal.ts';
import { plain } from './terminal.ts';

/** What the operating system's errors mean to a user. */
const SYSTEM_CODES: Readonly<Record<string, readonly [code: ErrorCode, words: string]>> = {
  ENOSPC: ['disk-full', 'the disk is full'],
  EDQUOT: ['disk-full', 'the disk quota is used up'],
  EACCES: ['forbidden', 'permission denied'],
  EPERM: ['forbidden', 'permission denied'],
  EROFS: ['forbidden', 'the file system is read-only'],
  ENOENT: ['path-not-found', 'no such file or directory'],
  ENOTDIR: ['path-not-found', 'not a directory'],
  EISDIR: ['usage', 'this is a directory'],
  ENAMETOOLONG: ['usage', 'this name is too long'],
  EADDRINUSE: ['port-in-use', 'the port is in use'],
  EMFILE: ['unavailable', 'too many open files'],
  ENFILE: ['unavailable', 'too many open files on this machine'],
  EIO: ['unavailable', 'the disk reports an error (EIO)'],
  ETIMEDOUT: ['timeout', 'no answer in time'],
  ECONNREFUSED: ['unavailable', 'nothing listens there'],
  ECONNRESET: ['unavailable', 'the connection was closed'],
  ENOTFOUND: ['unavailable', 'no such host'],
};

/** Turns whatever was thrown into an {@link IngotError}; what nobody foresaw becomes `unexpected`. */
export function toIngotError(thrown: unknown): IngotError {
  if (thrown instanceof IngotError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new IngotError('interrupted', 'interrupted', { cause: thrown });
  const code = systemErrorCode(thrown);
  const known = code === undefined ? undefined : SYSTEM_CODES[code];
  if (known !== undefined) return new IngotError(known[0], `${known[1]}${pathOf(thrown)}`, { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new IngotError('unexpected', `something went wrong that Ingot did not foresee: ${message}`, { cause: thrown });
}

function pathOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !('path' in thrown) || typeof thrown.path !== 'string') return '';
  return `: ${thrown.path}`;
}

/** Writes an error for people: what failed, the nearest name, the command that fixes it. */
export function formatError(error: IngotError, colors: Colors, options: { readonly debug?: boolean } = {}): string {
  const lines =
    error.code === 'interrupted' && options.debug !== true ? [colors.yellow('interrupted')] : what(error, colors);
  const fact = (label: string, value: string): number =>
    lines.push(`  ${colors.dim(label.padEnd(12))}  ${plain(value)}`);
  if (error.nearest !== undefined) fact('did you mean', `${colors.bold(error.nearest)} ?`);
  if (error.hint !== undefined) fact('try', error.hint);
  else if (error.code === 'unexpected' && options.debug !== true)
    fact('try', 'the same with INGOT_DEBUG=1, and report what it prints with `ingot doctor`');
  else if (error.retryable) fact('try', 'the same command again');
  if (options.debug === true) lines.push(...stacks(error));
  return `${lines.join('\n')}\n`;
}

function what(error: IngotError, colors: Colors): string[] {
  const [first = '', ...more] = plain(error.message).split('\n');
  return [`${colors.red(`error[${error.code}]`)}: ${first}`, ...more.map((line) => `  ${line}`)];
}

function stacks(error: IngotError): string[] {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? at.message);
  return lines;
}

/** The same facts as one JSON document. */
export function errorDocument(error: IngotError): unknown {
  const { code, message, operation, retryable, hint, nearest, details } = error;
  return { error: { code, message, operation, retryable, hint, nearest, details } };
}

/**
 * A *kept engine* is a process of the command line that runs one command after the other for one program: each line of
 * its standard input is a request, each line of its standard output says one thing about it. What it says ends with
 * `ended`, and after one that does not stay it ends itself.
 */

import { IngotError } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';

/** One command that a program asks for, with all that a process of its own would have been started with. */
export interface EngineRequest {
  /** The words after `ingot`. */
  readonly words: readonly string[];
  /** Its working directory. */
  readonly cwd: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Its standard input. Default: empty. */
  readonly input: string;
}

/** One line of a kept engine. */
export type EngineLine =
  /** It listens. */
  | { readonly ready: true; readonly version: string; readonly node: string }
  /** The command runs: from here on asking again would run it twice. */
  | { readonly begun: true }
  /** A piece of its standard error. */
  | { readonly said: string }
  /** It ended: with this exit status and standard output. Without `stays` the engine ends too. */
  | { readonly ended: number; readonly printed: string; readonly stays: boolean };

/**
 * Reads a line of standard input.
 * @throws IngotError `usage` for what is no request.
 * @example
 * parseRequest('{"words":["ls","--json"],"cwd":"/tmp","env":{}}').words; // ['ls', '--json']
 */
export function parseRequest(line: string): EngineRequest {
  const value: unknown = JSON.parse(line);
  if (!isJsonObject(value)) throw notRequest();
  const { words, cwd, env, input = '' } = value;
  if (!isTexts(words) || typeof cwd !== 'string' || typeof input !== 'string' || !isJsonObject(env)) throw notRequest();
  const entries = Object.entries(env).map(([name, text]): [string, string] => {
    if (typeof text !== 'string') throw notRequest();
    return [name, text];
  });
  return { words, cwd, env: Object.fromEntries(entries), input };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function notRequest(): IngotError {
  return new IngotError('usage', 'a line is no request', { operation: 'engine' });
}

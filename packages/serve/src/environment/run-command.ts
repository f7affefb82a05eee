import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { IngotError } from '@ingot/core/errors';

/** How a command ended and what it printed. */
export interface CommandOutcome {
  /** Exit status; -1 when it could not be started or was killed. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and with what a command runs. */
export interface CommandOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory?: string;
  readonly signal?: AbortSignal;
  /** Receives each line of stderr as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Runs a command without a shell and waits for its end. Throws only `interrupted`. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { environment, workingDirectory, signal, onLine }: CommandOptions,
): Promise<CommandOutcome> {
  const child = spawn(command, args, {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(workingDirectory !== undefined && { cwd: workingDirectory }),
    ...(signal && { signal }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    stderr += `${line}\n`;
    onLine?.(line);
  });
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      stderr += `${error.message}\n`;
      resolve(-1);
    });
    child.once('close', (code) => resolve(code ?? -1));
  });
  if (signal?.aborted) throw new IngotError('interrupted', 'building the environment was interrupted');
  return { status, stdout, stderr };
}

/** The last lines of what a command printed, for an error message. */
export function lastLines(text: string, count = 12): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

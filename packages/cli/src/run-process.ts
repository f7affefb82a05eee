import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { interruptsOfProcess } from './interrupts.ts';
import { provide, settingsHost } from './process-host.ts';
import type { Host } from './run.ts';
import { reportError, run } from './run.ts';

/** Runs a command line in this process: signals, streams and the exit status. */
export async function runProcess(words: readonly string[]): Promise<void> {
  const interrupt = interruptsOfProcess();
  const host = processHost(interrupt.signal);
  process.on('uncaughtException', (thrown) => {
    process.exit(reportError(thrown, words, host));
  });
  const status = await run(words, host);
  exitWhenWritten(status === 130 ? (interrupt.status ?? status) : status);
}

/** Ends the process once both streams took everything; a pipe may be slow. */
function exitWhenWritten(status: number): void {
  process.stdout.write('', (failed) => {
    // The stream tells its error to its own listener next, and that ends the process: with 0 here it would look well.
    if (failed) return;
    process.stderr.write('', () => process.exit(status));
  });
}

function processHost(signal: AbortSignal): Host {
  return {
    ...settingsHost(),
    provide,
    stdout: process.stdout,
    stderr: process.stderr,
    signal,
    now: () => new Date(),
    readStdin,
    onInputClosed,
    secret: async (question) => (process.stdin.isTTY && process.stderr.isTTY ? askHidden(question) : undefined),
    confirm: async (question) => (process.stdin.isTTY && process.stderr.isTTY ? ask(question) : undefined),
  };
}

/** A program that holds our standard input as a pipe closes it when it ends, however it ends. */
function onInputClosed(listener: () => void): void {
  const input = fstatSync(0);
  if (!input.isFIFO() && !input.isSocket()) return;
  process.stdin.on('end', listener).on('close', listener).resume();
}

/** Reads a line that the terminal does not show. */
async function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(`${question}: `);
  // The line editor writes what is typed to its output; this one leads nowhere.
  const { PassThrough } = await import('node:stream');
  const reader = createInterface({ input: stdin, output: new PassThrough(), terminal: true });
  try {
    return await new Promise<string>((resolve) => {
      reader.once('line', resolve);
      reader.once('close', () => resolve(''));
    });
  } finally {
    reader.close();
    stderr.write('\n');
  }
}

async function readStdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of process.stdin) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

function ask(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    lines.on('close', () => resolve(false));
    lines.question(`${question} [y/N] `, (answer) => {
      resolve(/^y(?:es)?$/i.test(answer.trim()));
      lines.close();
    });
  });
}

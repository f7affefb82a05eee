import { createInterface } from 'node:readline';
import { loadCommand } from '../commands/load-command.ts';
import { interruptsOfProcess } from '../interrupts.ts';
import { toolVersion } from '../tool-version.ts';
import type { EngineLine } from './engine-request.ts';
import { parseRequest } from './engine-request.ts';
import { serveRequest } from './serve-request.ts';

/** An engine that holds more than this has moved much, and gives it back by ending. */
const LARGEST_BYTES = 192 * 1024 * 1024;
/** After so many commands an engine ends, whatever they were. */
const MOST_COMMANDS = 1000;

/**
 * Runs commands one after the other, as standard input asks for them, until that closes or nothing was asked for a while.
 * Each finds its own working directory and environment, and nothing of the one before: the engine ends after whatever
 * could leave something behind.
 * @param words how many seconds it waits for a command (default: 60), and verbs that will probably be asked for.
 */
export async function engineProcess([idleSeconds = '60', ...verbs]: readonly string[]): Promise<void> {
  // Where it was started may be removed or unmounted while it waits.
  process.chdir('/');
  const interrupt = interruptsOfProcess();
  interrupt.signal.addEventListener('abort', () => isIdle && process.exit(interrupt.status ?? 130));
  // Who asked may be gone; a command that runs is brought to its end all the same.
  process.stdout.removeAllListeners('error').on('error', () => {});
  const wait = (): NodeJS.Timeout => setTimeout(() => process.exit(0), Number(idleSeconds) * 1000);
  let idle = wait();
  let isIdle = true;
  say({ ready: true, version: toolVersion(), node: process.versions.node });
  await loadAhead(verbs);
  let commands = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    isIdle = false;
    clearTimeout(idle);
    commands += 1;
    const before = process.getActiveResourcesInfo().length;
    const { status, printed, isAlone } = await serveRequest(parseRequest(line), interrupt, say);
    // What a command has left under way would have ended with its process.
    await new Promise(setImmediate);
    const isClean = isAlone && status === 0 && process.getActiveResourcesInfo().length <= before;
    const stays = isClean && process.memoryUsage.rss() < LARGEST_BYTES && commands < MOST_COMMANDS;
    say({ ended: status, printed, stays });
    if (!stays) return endWhenWritten(status);
    isIdle = true;
    idle = wait();
  }
  process.exit(0);
}

function say(line: EngineLine): void {
  if (process.stdout.writable) process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Loads the code of verbs while the program that will ask for them is still busy. */
async function loadAhead(verbs: readonly string[]): Promise<void> {
  await Promise.all([import('../verbs/parse.ts'), ...verbs.map((verb) => loadCommand([verb]))]);
  if (verbs.includes('push')) await import('@ingot/core/content/blob-content-store');
}

function endWhenWritten(status: number): void {
  process.stdout.write('', () => process.exit(status));
}

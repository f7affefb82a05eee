import { type ChildProcess, spawn } from 'node:child_process';
import { worldOf } from '../world.ts';
import { BINARY } from './run-case.ts';

/** A registry server of a directory, and what it said when it was up; it ends when disposed. */
export async function up(
  cwd: string,
  words: readonly string[] = [],
): Promise<AsyncDisposable & { readonly said: Readonly<Record<string, string>> }> {
  const child: ChildProcess = spawn(process.execPath, [BINARY, 'up', '--port', '0', '--json', ...words], {
    cwd,
    env: worldOf(cwd),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (data) => {
      text += String(data);
      if (text.includes('\n')) resolve(text);
    });
    child.once('exit', (status) => reject(new Error(`up ended with ${status}`)));
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    said: JSON.parse(line),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/**
 * The entry of `ingot`. Help and version are answered from here without loading anything else; the rest is `run.ts`.
 */

import { toolVersion } from './tool-version.ts';
import { helpOfAll } from './verbs/help.ts';

const words = process.argv.slice(2);

// A reader that stops reading (`ingot ls | head`) is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (stream === process.stdout) process.exit(0);
  });
}

/** Writes text that nothing else follows; what cannot be written is told in one line. */
function writeOut(text: string): void {
  process.once('uncaughtException', (error: NodeJS.ErrnoException) => {
    const code = error.code === 'ENOSPC' ? 'disk-full' : 'unavailable';
    process.stderr.write(`error[${code}]: the output cannot be written: ${error.message}\n`);
    process.exit(7);
  });
  process.stdout.write(text);
}

if (words.length === 0 || (words.length === 1 && /^(?:--help|-h|help)$/.test(words[0] ?? ''))) {
  writeOut(helpOfAll());
} else if (words.length === 1 && /^(?:--version|-V)$/.test(words[0] ?? '')) {
  writeOut(`${toolVersion()}\n`);
} else if (words[0] === '__complete') {
  const { completeProcess } = await import('./completion/complete-process.ts');
  await completeProcess(words.slice(1));
} else if (words[0] === '__engine') {
  const { engineProcess } = await import('./engine/engine-process.ts');
  await engineProcess(words.slice(1));
} else {
  const { runProcess } = await import('./run-process.ts');
  await runProcess(words);
}

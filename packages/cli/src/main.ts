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

if (words.length === 0 || (words.length === 1 && /^(?:--help|-h|help)$/.test(words[0] ?? ''))) {
  process.stdout.write(helpOfAll());
} else if (words.length === 1 && /^(?:--version|-V)$/.test(words[0] ?? '')) {
  process.stdout.write(`${toolVersion()}\n`);
} else if (words[0] === '__complete') {
  const { completeProcess } = await import('./completion/complete-process.ts');
  await completeProcess(words.slice(1));
} else {
  const { runProcess } = await import('./run-process.ts');
  await runProcess(words);
}

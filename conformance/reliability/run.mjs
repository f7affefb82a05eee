/**
 * Does terrible things to stores and counts what became of them.
 *
 *     npm run reliability                            lists the trials
 *     npm run reliability -- NAME… [--full]          runs some, or `all`; `--full` as long as docs/reliability.md says
 *     npm run reliability -- NAME --json --seed 7
 *     npm run reliability -- all --full --docs       writes the figures to docs/reliability.md
 *
 * The exit status is 1 when a promise was broken.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import './typescript.mjs';
import { buildCli } from '../../scripts/build.mjs';

const words = process.argv.slice(2);
/** A trial that is a program of its own. */
const COLLECTIONS = fileURLToPath(new URL('./gc-against-push.mjs', import.meta.url));

if (words[0] === 'gc-against-push' && existsSync(COLLECTIONS)) {
  process.exitCode = spawnSync(process.execPath, [COLLECTIONS, ...words.slice(1)], { stdio: 'inherit' }).status ?? 1;
} else {
  if (words.length > 0) await buildCli();
  const { main } = await import('./main.ts');
  // Connections that are still open keep nobody here.
  process.exit(await main(words));
}

/** What this machine can do at best, against which pushes and pulls are held. */
import { buildLibraries } from '../../scripts/build.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { fresh, MEBIBYTE } from './folders.mjs';

/**
 * Measures it, and computes how long so many bytes take at least.
 * - push: cutting and both SHA-256 on threads of their own, then writing and flushing
 * - pushOverlapped: the same with hashing and writing at once, which shares the cores between them
 * - pull: copying and one SHA-256
 */
export async function measureLimits(bytes) {
  await buildLibraries();
  const mebibytes = Math.round(bytes / MEBIBYTE);
  const { stdout } = await run(process.execPath, [inRoot('bench/lib/limits-program.mjs'), fresh('limits'), String(mebibytes)], { label: 'measuring the limits' });
  const rates = JSON.parse(stdout);
  const time = (rate) => bytes / MEBIBYTE / rate;
  return {
    rates,
    push: time(rates.hashing) + time(rates.writing),
    pushOverlapped: Math.max(time(rates.hashing), time(rates.writing)),
    readAndHash: time(rates.hashing),
    pull: time(rates.copying) + time(rates.sha256),
  };
}

/** The rates as one line. */
export function ratesLine({ rates }) {
  const words = { cutting: 'cutting (WASM)', sha256: 'SHA-256', hashing: 'cutting and both SHA-256 in three threads', writing: 'writing and fsync', copying: 'copying' };
  return Object.entries(words).map(([key, name]) => `${name} ${rates[key].toFixed(0)}`).join(', ').concat(' MiB/s');
}

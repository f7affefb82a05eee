import { provide, settingsHost } from '../process-host.ts';
import { readLayers } from '../settings/layers.ts';
import { createSettings } from '../settings/settings.ts';
import { completions } from './completions.ts';

/** Answers a shell that asks what may stand for the last of `words`. Says nothing rather than fail. */
export async function completeProcess(words: readonly string[]): Promise<void> {
  try {
    const host = settingsHost();
    const { layers, storage } = await readLayers(new Map(), host);
    provide(storage.given);
    const settings = createSettings(layers, host, storage);
    const lines = await completions(words, settings, new Date());
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  } catch {
    process.exitCode = 1;
  }
}

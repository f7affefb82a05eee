import { openBlobStore } from '@ingot/core/blob/open';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { mirror } from '@ingot/core/mirror';
import { addressOf } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { count, formatBytes } from '../output/units.ts';

/** `ingot mirror SRC DST`: copies what DST lacks of SRC, byte for byte. */
export async function run(context: Context): Promise<Result> {
  const dryRun = context.arguments.isOn('dry-run');
  const source = await opened(context.arguments.argument(0), 'SRC', context);
  const destination = await opened(context.arguments.argument(1), 'DST', context);
  const { onProgress } = context.progress;
  const result = await mirror({ source, destination, dryRun, onProgress, signal: context.signal });
  return {
    json: result,
    quiet: [String(result.events.new)],
    human: () => {
      const { events, packs } = result;
      const verb = dryRun ? 'would copy' : 'copied';
      const bytes = packs.bytes === 0 ? '' : ` (${formatBytes(packs.bytes)})`;
      const what =
        events.new === 0 && packs.new === 0
          ? 'nothing is new'
          : `${verb} ${count(events.new, 'event')} and ${count(packs.new, 'pack')}${bytes}`;
      return `${what}; ${count(result.models, 'model')}, ${count(events.new + events.there, 'event')} in all\n`;
    },
    notes: dryRun ? [] : [`${result.destination} follows ${result.source} and takes no other writes`],
  };
}

async function opened(text: string, origin: string, { settings, cwd, terminal }: Context): Promise<BlobStore> {
  const { text: address } = addressOf({ text, origin, base: cwd });
  const { err } = terminal;
  const onWarning = (message: string): void => err.write(`${err.colors.yellow('warning')}: ${message}\n`);
  return await openBlobStore(address, { env: settings.env, onWarning });
}

import type { Context } from '../context.ts';
import { startRegistry } from '../registry-server.ts';
import { logTo } from '../output/log-lines.ts';
import { hostOf, tellStart } from '../output/tell-start.ts';
import { untilAborted } from '../output/until-aborted.ts';

/** `ingot up`: runs the registry server over the store until it is told to stop. */
export async function run(context: Context): Promise<undefined> {
  const { settings } = context;
  const log = logTo(context);
  await using running = await startRegistry(
    { host: settings.text('host') ?? '127.0.0.1', port: portOf(context), log },
    context,
  );
  context.progress.clear();
  const { out } = context.terminal;
  const { url, store, isOpen, firstToken } = running;
  if (context.format === 'json')
    out.write(
      `${JSON.stringify({ url, oci: hostOf(url), store, open: isOpen, ...(firstToken && { token: firstToken }) })}\n`,
    );
  else if (context.format === 'quiet') out.write(`${url}\n`);
  else out.write(`registry at ${out.colors.bold(url)} over ${store}\n`);
  tellStart(running, context, log);
  await untilAborted(context.signal);
  log('info', 'stopping: running requests end first');
}

/** The setting is shared with `serve`, whose default is another. */
function portOf({ settings }: Context): number {
  const isGiven = settings.value('port')?.origin !== 'default';
  return (isGiven ? settings.number('port') : undefined) ?? 8585;
}

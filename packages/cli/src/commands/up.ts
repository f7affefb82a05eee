import type { Context } from '../context.ts';
import { startRegistry } from '../registry-server.ts';
import { logTo } from '../output/log-lines.ts';
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
  if (context.format === 'human')
    context.terminal.err.write(`container clients, too: oras pull ${hostOf(url)}/NAME:TAG\n`);
  if (firstToken !== undefined && context.format !== 'json') tellToken(firstToken, url, context);
  else if (isOpen && context.format === 'human')
    context.terminal.err.write('everybody on this machine may do everything: `ingot account add NAME` ends that\n');
  await untilAborted(context.signal);
  log('info', 'stopping: running requests end first');
}

/** What clients of container registries call it. */
function hostOf(url: string): string {
  return new URL(url).host;
}

/** The one time that the token is told: standard error, because standard output may be kept. */
function tellToken(token: string, url: string, { terminal: { err } }: Context): void {
  err.write(
    `nobody has an account yet; this token administers the server and is shown this once:\n\n  ${err.colors.bold(token)}\n\n`,
  );
  err.write(`ingot login ${url} --with-token   (then: ingot account add NAME --role admin)\n`);
}

/** The setting is shared with `serve`, whose default is another. */
function portOf({ settings }: Context): number {
  const isGiven = settings.value('port')?.origin !== 'default';
  return (isGiven ? settings.number('port') : undefined) ?? 8585;
}

import { IngotError } from '@ingot/core/errors';
import type { Log } from '@ingot/serve/log';
import type { ServedVersion } from '@ingot/serve/model-host';
import type { Context } from '../context.ts';
import { startServer } from '../model-server.ts';
import { logTo } from '../output/log-lines.ts';
import { plain } from '../output/terminal.ts';
import { untilAborted } from '../output/until-aborted.ts';

/** `ingot serve SOURCE…`: answers predictions over HTTP until it is told to stop. */
export async function run(context: Context): Promise<undefined> {
  const { settings } = context;
  const plan = {
    sources: sourcesOf(context),
    host: settings.text('host') ?? '127.0.0.1',
    port: settings.number('port') ?? 8080,
    load: settings.text('load') === 'on-demand' ? ('on-demand' as const) : ('start' as const),
    log: logTo(context),
  };
  await using running = await startServer(plan, context);
  context.progress.clear();
  warnOfStrangers(plan);
  announce(running.server.url, running.server.host.index(), { context, log: plan.log });
  await untilAborted(context.signal);
  plan.log('info', 'stopping: running requests end first');
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i;

/** There are no accounts here: whoever reaches the address may predict, and load and unload models. */
function warnOfStrangers({ host, log }: { readonly host: string; readonly log: Log }): void {
  if (LOOPBACK.test(host)) return;
  log(
    'warn',
    `${host} is reachable from other machines, and there is no authentication: put a proxy with one before it`,
  );
}

function sourcesOf(context: Context): readonly string[] {
  const given = context.arguments.rest(0);
  const sources = [...new Set(given.length > 0 ? given : context.settings.list('models'))];
  if (sources.length > 0) return sources;
  throw new IngotError('usage', 'nothing to serve: name a source or set INGOT_MODELS', {
    hint: 'ingot serve churn@production',
  });
}

interface Announcing {
  readonly context: Context;
  readonly log: Log;
}

/**
 * What is served goes to stdout, one line a version; `--json` prints one document. A log of objects has it as one, as
 * what collects it reads both streams.
 */
function announce(url: string, versions: readonly ServedVersion[], { context, log }: Announcing): void {
  const { out } = context.terminal;
  const models = versions.map(({ model, version, digest, sources, state }) => ({
    model,
    version,
    digest,
    sources,
    state,
  }));
  if (context.format === 'json') out.write(`${JSON.stringify({ url, models })}\n`);
  else if (context.format === 'quiet') out.write(`${url}\n`);
  else if (context.settings.text('log') === 'json') log('info', `serving at ${url}`, { url, models });
  else {
    out.write(`serving at ${out.colors.bold(url)}\n`);
    for (const { model, version, sources, state } of models) {
      const reference = `${model}:${version}`;
      const named = sources
        .filter((source) => source !== reference)
        .map(plain)
        .join(', ');
      const loading = state === 'READY' ? '' : '  loaded on demand';
      out.write(
        `  ${out.colors.bold(reference)}${named === '' ? '' : `  ${named}`}${loading}  POST ${url}/predict/${encodeURIComponent(model)}\n`,
      );
    }
  }
}

import { IngotError } from '@ingot/core/errors';
import type { Log } from '@ingot/serve/log';
import type { ServedVersion } from '@ingot/serve/model-host';
import type { Context } from '../context.ts';
import { startServer } from '../model-server.ts';
import { plain } from '../output/terminal.ts';

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
  announce(running.server.url, running.server.host.index(), context);
  await aborted(context.signal);
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

/** What is served goes to stdout, one line a version; `--json` prints one document. */
function announce(url: string, versions: readonly ServedVersion[], context: Context): void {
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

function logTo(context: Context): Log {
  const { err } = context.terminal;
  const paint = { info: err.colors.dim, warn: err.colors.yellow, error: err.colors.red };
  return (level, message, facts) => {
    context.progress.clear();
    const time = context.now().toISOString().slice(11, 19);
    const more =
      facts === undefined || Object.keys(facts).length === 0 ? '' : `  ${err.colors.dim(JSON.stringify(facts))}`;
    err.write(
      `${err.colors.dim(time)} ${paint[level](level.padEnd(5))} ${message.split('\n').map(plain).join('\n  ')}${more}\n`,
    );
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Log } from '@ingot/serve/log';
import type { ModelServer } from '@ingot/serve/server';
import type { Context } from './context.ts';
import { DeploymentReporter } from './deployment-reporter.ts';
import { openServerApi } from './server-api.ts';
import { toolVersion } from './tool-version.ts';

const TIMEOUT_MS = 10_000;
const LAST_TIMEOUT_MS = 2000;

/**
 * Begins to tell a registry server what a model server answers with, unless `INGOT_REPORT=no` or `INGOT_OFFLINE` keeps
 * from it. Disposing it says that the server ends.
 */
export function reportDeployments(
  server: ModelServer,
  registry: string,
  { context, log }: { readonly context: Context; readonly log: Log },
): AsyncDisposable {
  const { settings, now } = context;
  if (settings.text('report') === 'no' || settings.isOn('offline')) return { [Symbol.asyncDispose]: async () => {} };
  let timeoutMs = TIMEOUT_MS;
  const reporter = new DeploymentReporter({
    index: () => server.host.index(),
    server: {
      id: randomUUID(),
      host: hostname(),
      address: server.url,
      release: toolVersion(),
      startedAt: now().toISOString(),
    },
    send: async (report) => {
      // Ctrl-C ends the server, and is what the last report says.
      const signal = AbortSignal.timeout(timeoutMs);
      await openServerApi(registry, { ...context, signal }).ask('/deployments/reports', {
        method: 'POST',
        body: report,
      });
    },
    now,
    log,
  });
  reporter.start();
  return {
    [Symbol.asyncDispose]: async () => {
      timeoutMs = LAST_TIMEOUT_MS;
      await reporter.end();
    },
  };
}

import type { AddressInfo } from 'node:net';
import { type App, type AppOptions, createApp } from '../../app.ts';

/** An app that listens on a free port of the loopback. */
export interface ServedApp extends AsyncDisposable {
  readonly app: App;
  readonly url: string;
  readonly port: number;
}

/** Starts an app; disposing it closes it at once. */
export async function serveApp(options: AppOptions): Promise<ServedApp> {
  const app = createApp(options);
  const server = app.server();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { app, port, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => app.close({ drainMs: 0 }) };
}

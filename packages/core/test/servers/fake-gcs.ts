import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

/** Starts fake-gcs-server in memory, with the bucket `models` in it, whose objects keep their versions when asked to. */
export async function startFakeGcs(options: { readonly versioning?: boolean } = {}): Promise<TestServer> {
  const binary = await testServer('fake-gcs-server');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = await startProcess({
    command: binary,
    args: [
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory'],
      ...['-public-host', `127.0.0.1:${port}`, '-external-url', url],
    ],
    isReady: () => answers(`${url}/storage/v1/b`),
  });
  const created = await fetch(`${url}/storage/v1/b?project=test`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'models', versioning: { enabled: options.versioning === true } }),
  });
  await created.body?.cancel();
  if (!created.ok) throw new Error(`fake-gcs-server made no bucket: ${created.status}`);
  return {
    address: 'gs://models',
    port,
    env: { STORAGE_EMULATOR_HOST: url },
    close: () => running.stop(),
  };
}

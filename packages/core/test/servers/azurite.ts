import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

/** The account and key that every Azurite has. */
export const AZURITE_ACCOUNT = 'devstoreaccount1';
export const AZURITE_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Starts Azurite in memory, with the container `models` in it. */
export async function startAzurite(): Promise<TestServer> {
  const directory = await testServer('azurite');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/${AZURITE_ACCOUNT}`;
  const running = await startProcess({
    command: process.execPath,
    args: [
      join(directory, 'node_modules/azurite/dist/src/blob/main.js'),
      ...['--blobHost', '127.0.0.1', '--blobPort', String(port), '--silent', '--inMemoryPersistence'],
      ...['--disableTelemetry', '--skipApiVersionCheck'],
      // As Azure itself: it keeps connections for minutes, and Azurite by default for five seconds.
      ...['--blobKeepAliveTimeout', '600'],
    ],
    isReady: () => answers(`http://127.0.0.1:${port}/`),
  });
  await createContainer(url, 'models');
  return {
    address: 'az://models',
    port,
    env: { AZURE_STORAGE_ACCOUNT: AZURITE_ACCOUNT, AZURE_STORAGE_KEY: AZURITE_KEY, INGOT_AZURE_ENDPOINT: url },
    close: () => running.stop(),
  };
}

async function createContainer(url: string, name: string): Promise<void> {
  const date = new Date().toUTCString();
  const headers = { 'x-ms-date': date, 'x-ms-version': '2023-11-03' };
  const signed = Object.entries(headers).map(([header, value]) => `${header}:${value}\n`);
  const resource = `/${AZURITE_ACCOUNT}/${AZURITE_ACCOUNT}/${name}\nrestype:container`;
  const text = `PUT${'\n'.repeat(12)}${signed.join('')}${resource}`;
  const signature = createHmac('sha256', Buffer.from(AZURITE_KEY, 'base64')).update(text, 'utf8').digest('base64');
  const reply = await fetch(`${url}/${name}?restype=container`, {
    method: 'PUT',
    headers: { ...headers, authorization: `SharedKey ${AZURITE_ACCOUNT}:${signature}` },
  });
  const said = await reply.text();
  if (!reply.ok) throw new Error(`Azurite made no container: ${reply.status} ${said}`);
}

/** An OCI artifact: pushed with `oras`, a layer a file, to the reference registry on this machine. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../scripts/demo/engine.mjs';
import { ociRegistry, oras } from '../../../scripts/lib/bench-peers.mjs';
import { bytesUnder, filesOf, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { startService } from '../../lib/service.mjs';

// Its defaults are 5 and 3.
const LAYERS_AT_ONCE = '8';

export async function ociContender() {
  const [client, registry] = [await oras(), await ociRegistry()];
  const home = join(STORAGE_HOME, 'stores/oci');
  const port = await freePort();
  const env = { ...process.env, DOCKER_CONFIG: join(home, 'client'), OTEL_TRACES_EXPORTER: 'none' };
  const servers = [];
  let server;
  const end = async () => {
    await server?.stop();
    servers.length = 0;
  };
  const command = (verb, cwd, ...args) => [{ command: client, args: [verb, '--plain-http', '--no-tty', '--concurrency', LAYERS_AT_ONCE, ...args], env, cwd }];
  const artifact = (variant) => `127.0.0.1:${port}/bench/model:${variant}`;
  return {
    key: 'oci',
    name: 'OCI artifact, oras and registry v3',
    isFlushed: true,
    scattered: false,
    servers,
    async prepare() {
      await end();
      fresh('stores/oci/client');
      fresh('stores/oci/data');
      writeFileSync(join(home, 'registry.json'), JSON.stringify(settings(port, join(home, 'data'))));
      server = await startService({ command: registry, args: ['serve', join(home, 'registry.json')], env, port });
      servers.push(server.pid);
    },
    push: (variant, folder) => command('push', folder, artifact(variant), ...filesOf(folder).map((path) => path.slice(folder.length + 1))),
    pull: (variant, target) => command('pull', undefined, '--output', target, artifact(variant)),
    storedBytes: async () => bytesUnder(join(home, 'data')),
    end,
  };
}

/** JSON is YAML, too. */
const settings = (port, rootdirectory) => ({
  version: 0.1,
  log: { level: 'error', accesslog: { disabled: true } },
  storage: { filesystem: { rootdirectory }, cache: { blobdescriptor: 'inmemory' } },
  http: { addr: `127.0.0.1:${port}` },
});

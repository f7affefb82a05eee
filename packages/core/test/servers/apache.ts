import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../../../scripts/lib/servers/tools.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

const MODULES = [
  ...['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic'],
  ...['dav', 'dav_fs', 'setenvif'],
];
const NOBODY = 65534;

/** Apache with mod_dav, and the directory that it serves. */
export interface ApacheServer extends TestServer {
  readonly directory: string;
}

/** Starts Debian's Apache with mod_dav over a directory of its own, for the user `ana` with the password `correct horse`. */
export async function startApache(): Promise<ApacheServer> {
  const tree = await testServer('apache');
  const home = await mkdtemp(join(tmpdir(), 'ingot-apache-'));
  const data = join(home, 'data');
  const port = await freePort();
  for (const directory of [data, join(home, 'lock')]) await mkdir(directory);
  const password = createHash('sha1').update('correct horse').digest('base64');
  await writeFile(join(home, 'users'), `ana:{SHA}${password}\n`);
  await writeFile(join(home, 'httpd.conf'), configuration(home, tree, port));
  // Apache does not serve as root: it hands what it serves to nobody.
  if (process.getuid?.() === 0) {
    await chmod(home, 0o755);
    for (const directory of [data, join(home, 'lock')]) await chown(directory, NOBODY, NOBODY);
  }
  const running = await startProcess({
    command: join(tree, 'usr/sbin/apache2'),
    args: ['-f', join(home, 'httpd.conf'), '-DFOREGROUND'],
    env: { ...process.env, LD_LIBRARY_PATH: librariesOf(tree) },
    isReady: () => answers(`http://127.0.0.1:${port}/`),
    ownSession: true,
  });
  return {
    address: `webdav://ana@127.0.0.1:${port}/models`,
    env: { INGOT_WEBDAV_PASSWORD: 'correct horse' },
    port,
    directory: data,
    close: async () => {
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function configuration(home: string, tree: string, port: number): string {
  const modules = MODULES.map((name) => `LoadModule ${name}_module ${tree}/usr/lib/apache2/modules/mod_${name}.so`);
  const user = process.getuid?.() === 0 ? [`User #${NOBODY}`, `Group #${NOBODY}`] : [];
  return [
    `ServerRoot ${home}`,
    'ServerName localhost',
    `Listen 127.0.0.1:${port}`,
    `PidFile ${home}/pid`,
    `ErrorLog ${home}/error.log`,
    'LogLevel warn',
    ...modules,
    ...user,
    `DocumentRoot ${home}/data`,
    `DavLockDB ${home}/lock/db`,
    `<Directory ${home}/data>`,
    'Dav On',
    'AuthType Basic',
    'AuthName models',
    `AuthUserFile ${home}/users`,
    'Require valid-user',
    '</Directory>',
    '',
  ].join('\n');
}

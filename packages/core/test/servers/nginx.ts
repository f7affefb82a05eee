import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../../../scripts/lib/servers/tools.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

/** nginx, and the directory that it serves. */
export interface NginxServer extends TestServer {
  readonly directory: string;
}

/** Starts Debian's nginx with WebDAV over a directory of its own; without accounts. */
export async function startNginx(options: { readonly autoindex?: boolean } = {}): Promise<NginxServer> {
  const tree = await testServer('nginx');
  const home = await mkdtemp(join(tmpdir(), 'ingot-nginx-'));
  const directory = join(home, 'data');
  const port = await freePort();
  await chmod(home, 0o755);
  for (const name of ['data', 'tmp']) await mkdir(join(home, name), { mode: 0o777 });
  await writeFile(join(home, 'nginx.conf'), configuration(home, tree, port, options.autoindex ?? false));
  const running = await startProcess({
    command: join(tree, 'usr/sbin/nginx'),
    args: ['-p', home, '-c', join(home, 'nginx.conf')],
    env: { ...process.env, LD_LIBRARY_PATH: librariesOf(tree) },
    isReady: () => answers(`http://127.0.0.1:${port}/`),
    ownSession: true,
  });
  return {
    address: `webdav://127.0.0.1:${port}/models`,
    env: {},
    port,
    directory,
    close: async () => {
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function configuration(home: string, tree: string, port: number, autoindex: boolean): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${home}/tmp;`);
  return `load_module ${tree}/usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid ${home}/pid;
error_log ${home}/error.log;
worker_processes 2;
events { worker_connections 256; }
http {
  access_log off;
  client_max_body_size 0;
  types { application/json json; }
  ${places.join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    location / {
      root ${home}/data;
      autoindex ${autoindex ? 'on' : 'off'};
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS;
      create_full_put_path on;
    }
  }
}
`;
}

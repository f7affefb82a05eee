import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess } from './server.ts';

/** The reference registry, as it runs. */
export interface Distribution {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly port: number;
  /** How many tokens were made, where it lets in by tokens. */
  tokens(): number;
  close(): Promise<void>;
}

/** Who is let in, where somebody has to be. */
export const DISTRIBUTION_USER = { username: 'ana', password: 'ingot-secret' } as const;

/** How the reference registry lets in. */
export interface DistributionOptions {
  /** Default: everybody. */
  readonly auth?: 'htpasswd' | { readonly tokenSeconds: number };
}

/** bcrypt of the password above, with few rounds. */
const HTPASSWD = 'ana:$2b$04$1YZBjfRwS.TEvAHC0pM79OOGpPwqY7iqVt9mP8epZTevL3HdKC5Su\n';

/** Starts the reference registry over files of its own. */
export async function startDistribution({ auth }: DistributionOptions = {}): Promise<Distribution> {
  const program = await testServer('registry');
  const directory = await mkdtemp(join(tmpdir(), 'ingot-distribution-'));
  const port = await freePort();
  const tokens = typeof auth === 'object' ? await startTokenServer(directory, auth.tokenSeconds) : undefined;
  const config = join(directory, 'config.json');
  await writeFile(join(directory, 'htpasswd'), HTPASSWD);
  await writeFile(config, JSON.stringify(configOf(directory, port, auth, tokens?.realm)));
  const running = await startProcess({
    command: program,
    args: ['serve', config],
    env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
    isReady: () => answers(`http://127.0.0.1:${port}/v2/`),
  });
  return {
    host: `127.0.0.1:${port}`,
    port,
    tokens: () => tokens?.made() ?? 0,
    close: async () => {
      await running.stop();
      await tokens?.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** JSON is YAML, which is what it reads. */
function configOf(
  directory: string,
  port: number,
  auth: DistributionOptions['auth'],
  realm: string | undefined,
): object {
  const token = {
    realm,
    service: SERVICE,
    issuer: ISSUER,
    jwks: join(directory, 'jwks.json'),
    signingalgorithms: ['ES256'],
  };
  const lets =
    auth === undefined
      ? {}
      : {
          auth: auth === 'htpasswd' ? { htpasswd: { realm: 'models', path: join(directory, 'htpasswd') } } : { token },
        };
  return {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...lets,
  };
}

const SERVICE = 'models';
const ISSUER = 'ingot-tests';

/** Makes tokens for whoever says the password, as the registry's configuration trusts them. */
async function startTokenServer(directory: string, seconds: number) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' };
  await writeFile(join(directory, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  const { username, password } = DISTRIBUTION_USER;
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  let made = 0;
  const server = createServer((request, reply) => {
    if (request.headers.authorization !== wanted) return void reply.writeHead(401).end();
    made += 1;
    const scopes = new URL(request.url ?? '/', 'http://localhost').searchParams
      .getAll('scope')
      .flatMap((one) => one.split(' '));
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: ISSUER,
      sub: username,
      aud: SERVICE,
      nbf: now - 5,
      iat: now,
      exp: now + seconds,
      access: scopes.map(accessOf),
    };
    const head = [{ alg: 'ES256', typ: 'JWT', kid: 'one' }, claims]
      .map((part) => encoded(JSON.stringify(part)))
      .join('.');
    const signature = sign('sha256', Buffer.from(head), { key, dsaEncoding: 'ieee-p1363' });
    // What it says of how long a token lasts is too long: only the registry's 401 tells when it has ended.
    reply.writeHead(200, { 'content-type': 'application/json' });
    reply.end(JSON.stringify({ token: `${head}.${encoded(signature)}`, expires_in: 300 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    realm: `http://127.0.0.1:${port}/token`,
    made: () => made,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

function accessOf(scope: string): object {
  const [type = '', name = '', actions = ''] = scope.split(':');
  return { type, name, actions: actions.split(',') };
}

const encoded = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64url');

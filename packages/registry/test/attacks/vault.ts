import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { openServerBlobStore } from '@ingot/core/blob/server';
import { createServerContentStore } from '@ingot/core/content/server-contents';
import { push } from '@ingot/core/push';
import { openHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { type TrialServer, trialServer, withToken } from '../trial-server.ts';

/** The model that not everybody may see. */
export const VAULT = 'secret';
/** Stands in all that is said of it, and in its file. */
export const CANARY = 'c4n4ry-of-the-vault';
export const ROLES = ['reader', 'pusher', 'promoter', 'admin'] as const;

/** Somebody with one grant. */
export interface Somebody {
  readonly name: string;
  readonly role: (typeof ROLES)[number];
  /** Where: the server, the vault's model, or somewhere else. */
  readonly on: 'server' | 'vault' | 'elsewhere';
  readonly aliases?: readonly string[];
  readonly token: string;
}

/** A server with a version in the vault, and everybody who may or may not come near it. */
export interface Vault extends AsyncDisposable {
  readonly server: TrialServer;
  readonly admin: string;
  readonly everybody: readonly Somebody[];
  readonly modelId: string;
  /** The pack that the version's file lies in, and the digest of the file. */
  readonly pack: string;
  readonly digest: string;
  /** A run with one file, `note.txt`. */
  readonly run: string;
  /** Sends JSON as an admin; gives what is answered. */
  ask(path: string, method?: string, body?: unknown): Promise<Record<string, unknown>>;
}

const SCOPES = { server: '*', vault: VAULT, elsewhere: 'other/' } as const;
const FAST = { identity: { perSecond: 1e6, burst: 1e6 }, address: { perSecond: 1e6, burst: 1e6 } };

/** Starts the server and fills the vault. */
export async function openVault(): Promise<Vault> {
  const server = await trialServer({ rates: FAST }, signing);
  const admin = server.firstToken;
  const ask: Vault['ask'] = async (path, method = 'GET', body = undefined) => {
    const answer = await server.ask(path, withToken(admin, method, body));
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return Object(text === '' ? {} : JSON.parse(text));
  };
  const { pack, digest } = await pushed(server.url, admin);
  await ask(`/api/v1/models/${VAULT}`, 'PATCH', { description: CANARY, tags: { note: CANARY } });
  await ask(`/api/v1/models/${VAULT}/aliases/production`, 'PUT', { number: 1 });
  const { id } = await ask(`/api/v1/models/${VAULT}`);
  const { run } = await ask('/api/2.0/mlflow/runs/create', 'POST', { experiment_id: '0' });
  const runId = String(Object(Object(run).info).run_id);
  await server.ask(`/api/2.0/mlflow-artifacts/artifacts/0/${runId}/artifacts/note.txt`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${admin}` },
    body: CANARY,
  });
  const everybody: Somebody[] = [];
  for (const on of ['server', 'vault', 'elsewhere'] as const)
    for (const role of on === 'elsewhere' ? (['admin'] as const) : ROLES)
      everybody.push(await somebody(ask, { name: `${role}-${on}`, role, on }));
  everybody.push(await somebody(ask, { name: 'stager', role: 'promoter', on: 'vault', aliases: ['staging'] }));
  return {
    server,
    admin,
    everybody,
    modelId: String(id),
    pack,
    digest,
    run: runId,
    ask,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A storage that signs addresses: for what is read, and for uploads that are called so. */
function signing(blobs: BlobStore): BlobStore {
  const url = 'https://storage.example/signed';
  return {
    ...blobs,
    signed: async (key, { use }) =>
      use === 'read' || key.startsWith('packs/direct') ? { url, headers: {} } : undefined,
  };
}

async function somebody(ask: Vault['ask'], who: Omit<Somebody, 'token'>): Promise<Somebody> {
  const scopes = [{ role: who.role, scope: SCOPES[who.on], ...(who.aliases && { aliases: who.aliases }) }];
  const { token } = await ask('/api/v1/tokens', 'POST', { name: who.name, service: true, scopes });
  return { ...who, token: String(token) };
}

async function pushed(url: string, token: string): Promise<{ readonly pack: string; readonly digest: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-vault-'));
  try {
    const path = join(directory, 'package');
    await mkdir(path);
    await writeFile(join(path, 'model.bin'), CANARY.repeat(1000));
    const options = { env: {}, authorization: `Bearer ${token}` };
    const contents = createServerContentStore(await openServerBlobStore(url, options), { packBytes: 256 * 1024 });
    const registry = await openHttpRegistry(url, options);
    const { version, files } = await push(path, { registry, contents, name: VAULT });
    return { pack: version.recipe.pack, digest: files[0]?.digest ?? '' };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

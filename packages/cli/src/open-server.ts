import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outOfReach } from '@ingot/core/blob/layers/out-of-reach';
import { openServerBlobStore } from '@ingot/core/blob/server';
import { FormatOnce } from '@ingot/core/content/store-format';
import type { IngotError } from '@ingot/core/errors';
import { FollowingResolver } from '@ingot/core/registry/http/following';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { isRegistryServer, openServerClient, type ServerClient } from '@ingot/core/registry/http/server-client';
import type { StoreAddress } from './address.ts';
import { contentsWhenNeeded } from './contents-when-needed.ts';
import { namesFile } from './completion/names.ts';
import { tokenFor } from './credentials.ts';
import { refuseLentToken } from './lent-token.ts';
import type { OpenedStore, OpenOptions } from './open.ts';
import type { Settings } from './settings/settings.ts';

/** What opening a server needs besides the settings. */
export interface OpenServerOptions extends OpenOptions {
  readonly remembered: string;
  /** The error of asking anything while `offline` is set. */
  readonly offline: IngotError | undefined;
}

/**
 * Opens the registry server at an address; undefined when a store lies there that a web server hands out. Which of the
 * two it is, is asked once and remembered.
 * @throws IngotError `unavailable` when it is not known and nothing answers; `refused` when the token would go out without TLS.
 */
export async function openServer(
  address: StoreAddress,
  settings: Settings,
  options: OpenServerOptions,
): Promise<OpenedStore | undefined> {
  const { env } = settings;
  refuseLentToken(settings);
  const token = await tokenFor(address.text, env);
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  const actor = settings.text('actor');
  const attempts = settings.number('retries');
  const client = await openServerClient(address.text, {
    env,
    authorization,
    allowPlainHttp: settings.isOn('allow-http'),
    ...(actor !== undefined && { actor }),
    retry: attempts === undefined ? {} : { attempts: attempts + 1 },
  });
  if (!(await isServer(client, options))) return undefined;
  const heard = options.onWarning === undefined ? {} : { onWarning: options.onWarning };
  const opened = await openServerBlobStore(address.text, {
    env,
    authorization,
    direct: settings.text('direct') !== 'no',
    ...heard,
  });
  const { offline } = options;
  const blobs = offline === undefined ? opened : { ...outOfReach(opened, () => offline), ask: opened.ask };
  const format = new FormatOnce(blobs);
  const registry = createHttpRegistry(client);
  const following = new FollowingResolver(registry, client);
  return {
    address: client.address,
    isServer: true,
    blobs,
    format,
    registry,
    following,
    contents: contentsWhenNeeded(async () => {
      const { createServerContentStore } = await import('@ingot/core/content/server-contents');
      return createServerContentStore(blobs, {
        now: options.now,
        format,
        journals: join(options.remembered, 'uploads'),
        ...(settings.isOn('compress') && { coding: 'planes4-deflate' as const }),
      });
    }),
    remembered: options.remembered,
    names: namesFile(options.remembered),
    [Symbol.asyncDispose]: async () => following[Symbol.dispose](),
  };
}

async function isServer(client: ServerClient, { remembered, now, offline }: OpenServerOptions): Promise<boolean> {
  const path = join(remembered, 'kind.json');
  const known = await readKind(path);
  const isFresh = known !== undefined && (known.kind === 'server' || now().getTime() - known.atMs < A_DAY_MS);
  if (isFresh || offline !== undefined) return known?.kind === 'server';
  const is = await isRegistryServer(client);
  await rememberKind(path, remembered, { kind: is ? 'server' : 'store', atMs: now().getTime() });
  return is;
}

/** A store may become a server; a server that is a store from now on answers as no server does, and says so. */
const A_DAY_MS = 24 * 60 * 60 * 1000;

interface Kind {
  readonly kind: 'server' | 'store';
  readonly atMs: number;
}

async function readKind(path: string): Promise<Kind | undefined> {
  try {
    const { kind, atMs }: Partial<Kind> = JSON.parse(await readFile(path, 'utf8'));
    return (kind === 'server' || kind === 'store') && typeof atMs === 'number' ? { kind, atMs } : undefined;
  } catch {
    return undefined; // Never written, or damaged: it is asked.
  }
}

async function rememberKind(path: string, directory: string, kind: Kind): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(path, JSON.stringify(kind), { mode: 0o600 });
  } catch {
    // A full disk or a read-only home costs one more question next time.
  }
}

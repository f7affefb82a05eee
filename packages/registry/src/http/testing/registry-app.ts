import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import type { StoredEvent } from '@ingot/core/registry/events';
import { openLogRegistry } from '@ingot/core/registry/open';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Authorizer, Identity } from '../../access/identity.ts';
import type { Publication } from '../../contents/publication-check.ts';
import { createServedContents, type ServedContentsOptions } from '../../contents/served-contents.ts';
import { openDatabase } from '../../database/database.ts';
import { Feed } from '../../events/feed.ts';
import { openGovernance } from '../../governance/governance.ts';
import { openIndexedRegistry } from '../../index/indexed-registry.ts';
import type { Services } from '../../services.ts';
import { createRegistryApp, type Protocol } from '../app.ts';
import type { Gate } from '../route-access.ts';

/** An application over a store in memory, without accounts. Disposing it removes its files. */
export interface TrialApp extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly services: Services;
  /** Starts to listen; gives the address. */
  listen(): Promise<string>;
}

/** What a trial differs in. */
export interface TrialOptions {
  readonly protocols: readonly Protocol[];
  /** Default: anybody, without a name. */
  readonly identity?: Identity;
  /** Says who asks, where that changes. Default: `identity`. */
  readonly identify?: (request: FastifyRequest) => Identity;
  /** Says who asks where the answer may be one that is kept. Default: nobody, so that all is answered the long way. */
  readonly atOnce?: Gate['atOnce'];
  /** Default: everything is allowed. */
  readonly authorizer?: Authorizer;
  readonly now?: () => Date;
  /** Whether what is published is looked at, and how packs are taken. Default: drafts need no contents. */
  readonly contents?: Partial<Pick<ServedContentsOptions, 'pace' | 'limits'>>;
}

const ANYBODY: Identity = { kind: 'open', name: 'anonymous', authenticated: false };
const ALLOWS_ALL: Authorizer = { may: () => true, check: () => {} };

/** Makes an application for a test. */
export async function trialApp(options: TrialOptions): Promise<TrialApp> {
  const { protocols, identity = ANYBODY, authorizer = ALLOWS_ALL, now = () => new Date() } = options;
  const directory = await mkdtemp(join(tmpdir(), 'ingot-registry-app-'));
  const database = await openDatabase({ directory });
  const blobs = createMemoryBlobStore();
  const format = new FormatOnce(blobs);
  const contents = createBlobContentStore(blobs, { format });
  await format.create({ now });
  const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
  const store = { address: 'memory', blobs, format, contents };
  const log: Services['log'] = () => {};
  const openRegistry = (onEvent: (name: string, event: StoredEvent) => void) =>
    openLogRegistry({ blobs, actor: 'server', format, onEvent });
  const indexed = openIndexedRegistry({ database, blobs, openRegistry, log, now });
  const { index } = indexed;
  const governance = openGovernance(indexed.registry, { database, index, authorizer, log, now, random });
  const { registry } = governance;
  const feed = new Feed({ database, index, log });
  const served = createServedContents({
    ...options.contents,
    store,
    database,
    index,
    authorizer,
    log,
    now,
    scratch: directory,
  });
  // Tests publish drafts whose contents nobody stored.
  const publications = { checked: async ({ draft }: Publication) => draft };
  const services: Services = {
    store,
    database,
    registry,
    index,
    feed,
    authorizer,
    governance,
    contents: options.contents === undefined ? { ...served, publications } : served,
    log,
    now,
    random,
    version: '0.0.0',
  };
  const gate: Gate = {
    identify: options.identify ?? (() => identity),
    check: authorizer.check,
    requireSomebody: () => {},
    ...(options.atOnce && { atOnce: options.atOnce }),
  };
  const app = await createRegistryApp({ services, gate, protocols });
  const end = async (): Promise<void> => {
    await app.close();
    await served[Symbol.asyncDispose]();
    await feed[Symbol.asyncDispose]();
    await indexed[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  };
  return {
    app,
    services,
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    [Symbol.asyncDispose]: end,
  };
}

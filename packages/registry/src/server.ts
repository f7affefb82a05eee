/**
 * The *registry server*: people, search and protocols over a store. The truth about models stays in the store's logs;
 * the database holds an index of them, and what is only the server's.
 */

import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import type { Registry } from '@ingot/core/registry/registry';
import type { AttachmentWriter } from '@ingot/core/registry/attachments';
import type { StoredEvent } from '@ingot/core/registry/events';
import type { FastifyInstance } from 'fastify';
import { openAccess } from './access/access.ts';
import { DEFAULT_RATES, type RequestRates } from './access/limits.ts';
import type { SignInConfig } from './access/sign-in-config.ts';
import { AccessLog } from './audit/access-log.ts';
import { openAudit } from './audit/audit.ts';
import { holdAliases } from './audit/held-aliases.ts';
import { openArtifacts } from './artifacts/artifacts.ts';
import { openDatabase } from './database/database.ts';
import { createServedContents } from './contents/served-contents.ts';
import { Deployments } from './deployments/deployments.ts';
import { Feed } from './events/feed.ts';
import { openGovernance } from './governance/governance.ts';
import { createRegistryApp } from './http/app.ts';
import { createGate } from './http/gate.ts';
import type { GuardedRoute } from './http/route-access.ts';
import { contentPaths } from './http/contents/content-document.ts';
import { contentRoutes } from './http/contents/content-routes.ts';
import { operationsRoutes } from './http/operations-routes.ts';
import { createRequestWatch } from './http/request-watch.ts';
import { accessRoutes } from './http/native/access-routes.ts';
import { mlflowApi } from './http/mlflow/mlflow-api.ts';
import { deploymentRoutes } from './http/native/deployments-routes.ts';
import { nativeApi } from './http/native/native-api.ts';
import { blobRoutes } from './http/oci/blob-routes.ts';
import { catalogRoute } from './http/oci/catalog-route.ts';
import { listRoutes } from './http/oci/list-routes.ts';
import { manifestRoutes } from './http/oci/manifest-routes.ts';
import { refuseMalformed } from './http/oci/oci-errors.ts';
import { ociApi } from './http/oci/oci-api.ts';
import { tokenRoutes } from './http/oci/token-routes.ts';
import { uploadRoutes } from './http/oci/upload-routes.ts';
import { webhookRoutes } from './http/native/webhooks-routes.ts';
import { NATIVE_ROUTES } from './http/native/native-routes.ts';
import { openOci } from './oci/oci.ts';
import { openServedIndex } from './index/served-index.ts';
import { openOperations } from './operations/operations.ts';
import type { TraceOptions } from './operations/traces.ts';
import type { Log, ServedStore, Services } from './services.ts';
import { announceDeployments } from './webhooks/announce-deployments.ts';
import { openWebhooks } from './webhooks/webhooks.ts';

/** What a registry server is started with. */
export interface RegistryServerOptions {
  readonly store: ServedStore;
  /**
   * Opens the registry in the store's logs. It tells `onEvent` of what it has written, and waits for `beforeEvent` before
   * an event stands: what that was not told of counts as written by others.
   */
  readonly openRegistry: (
    onEvent: (log: string, event: StoredEvent) => void,
    beforeEvent: (log: string, event: StoredEvent) => Promise<void>,
  ) => Registry & AttachmentWriter;
  /** Directory of the server's files: database, keys. */
  readonly directory: string;
  /** Folder of the Python modules that load packages, for clients of MLflow. Default: they get a package's files alone. */
  readonly workerDirectory?: string | undefined;
  /** `postgres://…`. Default: SQLite in `directory`. */
  readonly databaseAddress?: string | undefined;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 8585; 0: any free one. */
  readonly port?: number;
  /** Names that the server answers to, beside those of loopback; `*`: every name. Default: none. */
  readonly allowedHosts?: readonly string[];
  /** Addresses of reverse proxies whose word counts for where a request came from. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** Names, addresses and networks that webhooks may call though they are private. Default: none. */
  readonly webhookHosts?: readonly string[];
  /** Writes a log line for each request. Default: only failures are told. */
  readonly logRequests?: boolean;
  /** Where traces of requests go (OTLP over HTTP). Default: nowhere. */
  readonly traces?: Omit<TraceOptions, 'version' | 'warn'> | undefined;
  /**
   * How long it says that it is not ready before it stops to listen, in milliseconds, so that balancers notice. Default:
   * 0 on loopback, else 2,000.
   */
  readonly drainMs?: number;
  /** Who else vouches for people and build servers. Default: nobody. */
  readonly signIn?: SignInConfig | undefined;
  /** How many days it is kept what ran where. Default: 400. */
  readonly deploymentHistoryDays?: number | undefined;
  /** Most bytes of a blob that OCI clients push. Default: 1 TiB. */
  readonly largestBlobBytes?: number | undefined;
  /** Most bytes of a manifest that is pushed. Default: 4 MiB. */
  readonly largestManifestBytes?: number | undefined;
  /** Whether indexes of images are taken whose manifests are not all there. Default: false. */
  readonly sparseIndexes?: boolean | undefined;
  /** Time between two runs of retention, in milliseconds. Default: it runs when somebody asks. */
  readonly retentionEveryMs?: number | undefined;
  /** How often may be asked. Default: {@link DEFAULT_RATES}. */
  readonly rates?: RequestRates;
  readonly version: string;
  readonly log: Log;
  /** Default: the system clock. */
  readonly now?: () => Date;
  /** Default: the system's random bytes. */
  readonly random?: (size: number) => Uint8Array;
}

/** A running registry server; disposing it lets running requests end and closes the database. */
export interface RegistryServer extends AsyncDisposable {
  /** `http://127.0.0.1:8585`. */
  readonly url: string;
  /** Whether it lets in everybody who reaches it: on loopback, until there is an account. */
  readonly isOpen: boolean;
  /** A token of an admin, made because nobody else could have come in; it is shown once. */
  readonly firstToken: string | undefined;
  /** All that it answers, and who may ask it. */
  readonly routes: readonly GuardedRoute[];
}

/**
 * Starts a registry server and listens.
 * @throws IngotError `port-in-use`, and as opening the database does.
 */
export async function startRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const { store, log, version, now = () => new Date(), random = randomBytes } = options;
  const { directory, databaseAddress: address } = options;
  const database = await openDatabase({ directory, address });
  try {
    const { own } = database;
    const host = options.host ?? '127.0.0.1';
    const accessLog = new AccessLog({ own, now, random, warn: (message) => log('warn', message) });
    const access = await openAccess({ own, host, accessLog, log, now, random, signIn: options.signIn });
    const { authorizer } = access;
    const isAuthenticated = (): boolean => !access.isOpen();
    const audit = await openAudit({ database, format: store.format, accessLog, log, now, isAuthenticated, random });
    const indexed = await openServedIndex({
      database,
      blobs: store.blobs,
      contents: store.contents,
      log,
      now,
      openRegistry: (onEvent) => options.openRegistry(onEvent, (name, event) => audit.written.note(name, event)),
    });
    const { index } = indexed;
    const held = holdAliases(indexed.registry, audit.protectedMoves);
    const { retentionEveryMs } = options;
    const governance = openGovernance(held, {
      database,
      index,
      audit,
      authorizer,
      retentionEveryMs,
      log,
      now,
      random,
    });
    const { registry } = governance;
    audit.follow(index);
    const deployments = new Deployments({ database, now, historyDays: options.deploymentHistoryDays });
    const feed = new Feed({ database, index, log });
    const contents = createServedContents({
      store,
      database,
      index,
      authorizer,
      log,
      now,
      scratch: join(directory, 'packs'),
    });
    const artifacts = await openArtifacts(
      { store, database, registry, log, now, random },
      { scratch: join(directory, 'scratch'), workerDirectory: options.workerDirectory },
    );
    const oci = await openOci(
      { store, database, registry, index, attachments: indexed.attachments, log, now, random },
      {
        scratch: join(directory, 'scratch'),
        largestBlobBytes: options.largestBlobBytes,
        sparseIndexes: options.sparseIndexes,
      },
    );
    const webhooks = await openWebhooks({
      database,
      feed,
      directory,
      allowedHosts: options.webhookHosts ?? [],
      log,
      now,
      random,
    });
    announceDeployments(deployments, webhooks, log);
    const { logRequests = false, traces } = options;
    const operations = openOperations({ database, blobs: store.blobs, version, log, logRequests, traces });
    const services: Services = {
      store,
      database,
      registry,
      index,
      feed,
      authorizer,
      governance,
      webhooks,
      access,
      audit,
      artifacts,
      contents,
      log,
      now,
      random,
      version,
    };
    const { allowedHosts = [], rates = DEFAULT_RATES, trustedProxies = [] } = options;
    const routes: GuardedRoute[] = [];
    const app = await createRegistryApp({
      services,
      onRoute: (route) => routes.push(route),
      gate: createGate({ access, audit, allowedHosts, rates }),
      trustedProxies,
      watch: createRequestWatch(operations, log),
      refusals: [refuseMalformed(services)],
      protocols: [
        operationsRoutes(operations),
        nativeApi(
          [...NATIVE_ROUTES, deploymentRoutes(deployments), webhookRoutes(webhooks), ...accessRoutes(access, audit)],
          contentPaths,
        ),
        contentRoutes(contents),
        mlflowApi(artifacts),
        ociApi(
          [
            blobRoutes(oci.blobs),
            uploadRoutes(oci.blobs),
            manifestRoutes(oci.manifests, options.largestManifestBytes),
            listRoutes(oci.manifests),
          ],
          [catalogRoute(oci.rows), tokenRoutes({ access, audit })],
        ),
      ],
    });
    const endParts = async (): Promise<void> => {
      await closed(app);
      await governance[Symbol.asyncDispose]();
      await webhooks[Symbol.asyncDispose]();
      await feed[Symbol.asyncDispose]();
      await artifacts[Symbol.asyncDispose]();
      await oci[Symbol.asyncDispose]();
      await indexed[Symbol.asyncDispose]();
      await contents[Symbol.asyncDispose]();
      await access[Symbol.asyncDispose]();
      await audit[Symbol.asyncDispose]();
      await operations[Symbol.asyncDispose]();
    };
    // Whoever looks at the database from time to time must have ended before it.
    const url = await listen(app, host, options.port ?? 8585).catch(async (error: unknown) => {
      await endParts();
      throw error;
    });
    indexed.watch.start();
    await webhooks.start();
    await governance.retentionSchedule?.start();
    const end = async (): Promise<void> => {
      operations.readiness.drain();
      await new Promise((resolve) => setTimeout(resolve, options.drainMs ?? (isLoopback(host) ? 0 : DRAIN_MS)));
      await endParts();
      await database[Symbol.asyncDispose]();
    };
    return { url, routes, isOpen: access.isOpen(), firstToken: access.firstToken, [Symbol.asyncDispose]: end };
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

const DRAIN_MS = 2000;
const LONGEST_CLOSE_MS = 8000;
const CLOSE_IDLE_MS = 50;

/** Lets running requests end; what takes longer than eight seconds is cut off. */
async function closed(app: FastifyInstance): Promise<void> {
  const tooLong = setTimeout(() => app.server.closeAllConnections(), LONGEST_CLOSE_MS);
  // A connection whose last request began before stays open behind its answer.
  const done = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_MS);
  await app.close();
  clearTimeout(tooLong);
  clearInterval(done);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL' && code !== 'ENOTFOUND') throw error;
    if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL')
      throw new IngotError('usage', `${host} is no address of this machine`, { hint: 'ingot up --host 127.0.0.1' });
    throw new IngotError('port-in-use', `port ${port} of ${host} is taken or not ours to take`, {
      hint: 'ingot up --port 0',
      cause: error,
    });
  }
  const address = app.server.address();
  return addressText(host, address !== null && typeof address === 'object' ? address : undefined, port);
}

function addressText(host: string, address: AddressInfo | undefined, port: number): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  return `http://${shown}:${address?.port ?? port}`;
}

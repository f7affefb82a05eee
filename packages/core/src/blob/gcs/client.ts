import type { Agent } from 'node:https';
import type { Bucket } from '@google-cloud/storage';
import type { StorageEnv } from '../remote/storage-url.ts';
import type { GcsConfig } from './config.ts';
import { checkKeyFile } from './key-file.ts';
import { httpsAgent } from '../remote/agents.ts';
import { SOCKETS } from './transport.ts';

/** Google's client for one bucket, and the headers that let other requests in. */
export interface GcsClient {
  readonly bucket: Bucket;
  /** Names of the project's buckets, the first page of them, for whoever may list them. */
  bucketNames(): Promise<readonly string[]>;
  /** Connections for requests that do not go through Google's client. */
  readonly https: Agent;
  /** Headers that authenticate a request; a new token is fetched when the old one is about to expire. */
  authorize(): Promise<Readonly<Record<string, string>>>;
}

/**
 * Loads Google's client and sets it up: credentials by the usual chain (a key file or workload identity federation named
 * by `GOOGLE_APPLICATION_CREDENTIALS`, `gcloud auth application-default login`, the metadata server). No request is sent.
 */
export async function openGcsClient(config: GcsConfig, env: StorageEnv): Promise<GcsClient> {
  if (config.credentials === 'default' && config.keyFile !== undefined) await checkKeyFile(config.keyFile);
  const [{ Storage }, { PassThroughClient }] = await Promise.all([
    import('@google-cloud/storage'),
    import('google-auth-library'),
  ]);
  const storage = new Storage({
    apiEndpoint: config.endpoint,
    useAuthWithCustomEndpoint: true,
    timeout: config.silenceMs,
    retryOptions: { autoRetry: false, maxRetries: 0 },
    ...(config.project === undefined ? {} : { projectId: config.project }),
    ...(config.credentials === 'none' ? { authClient: new PassThroughClient() } : {}),
    ...(config.credentials === 'default' && config.keyFile !== undefined ? { keyFilename: config.keyFile } : {}),
  });
  // The client takes an emulator from the process's own environment and forgets the API's path; ours is settled already.
  storage.baseUrl = `${config.endpoint}/storage/v1`;
  const bucket = storage.bucket(config.bucket);
  const https = await httpsAgent({ endpoint: config.endpoint, env }, { keepAlive: true, maxSockets: SOCKETS });
  const bucketNames = async (): Promise<readonly string[]> => {
    // Buckets are listed by project, and nothing tells of one here: the client would look for a metadata server.
    if (config.project === undefined && config.credentials === 'none') return [];
    const [buckets] = await storage.getBuckets({ autoPaginate: false, maxResults: 1000 });
    return buckets.map(({ name }) => name);
  };
  return { bucket, bucketNames, https, authorize: () => storage.authClient.getRequestHeaders(config.endpoint) };
}

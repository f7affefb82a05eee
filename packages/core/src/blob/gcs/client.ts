import type { Bucket } from '@google-cloud/storage';
import type { GcsConfig } from './config.ts';

/** Google's client for one bucket, and the headers that let other requests in. */
export interface GcsClient {
  readonly bucket: Bucket;
  /** Headers that authenticate a request; a new token is fetched when the old one is about to expire. */
  authorize(): Promise<Readonly<Record<string, string>>>;
}

/**
 * Loads Google's client and sets it up: credentials by the usual chain (a key file or workload identity federation named
 * by `GOOGLE_APPLICATION_CREDENTIALS`, `gcloud auth application-default login`, the metadata server). No request is sent.
 */
export async function openGcsClient(config: GcsConfig): Promise<GcsClient> {
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
  return { bucket, authorize: () => storage.authClient.getRequestHeaders(config.endpoint) };
}

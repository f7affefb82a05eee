import { Agent } from 'node:http';
import { state as sdkState } from '@aws-sdk/core/client';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { httpsAgent } from '../remote/agents.ts';
import { readIntoKeptMemory } from '../remote/kept-reads.ts';
import { createHttpHandler } from './http-handler.ts';
import type { S3Settings } from './settings.ts';

const CONNECTIONS = 64;
const POOL = { keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS };

// Which versions of Node are supported is said by Ingot, not by a client inside it in the middle of a command.
sdkState.warningEmitted = true;

const SILENT = { trace: () => {}, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Makes the SDK's client. It tries everything once: retries are a layer's. */
export async function createS3Client(settings: S3Settings): Promise<S3Client> {
  const client = new S3Client({
    forcePathStyle: settings.pathStyle,
    maxAttempts: 1,
    // What the SDK has to say to its own users would stand in the middle of a command.
    logger: SILENT,
    // Checksums are computed here, once for the signature and the storage, and contents are verified above.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for leave to send costs a round trip, and packs are never there already.
    expectContinueHeader: false,
    // A clock that is off is told, not corrected: events carry its time.
    disableClockSkewCorrection: true,
    requestHandler: createHttpHandler({
      silenceMs: settings.silenceMs,
      plain: readIntoKeptMemory(new Agent(POOL)),
      secure: await httpsAgent(settings.connection, POOL),
    }),
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...(settings.region === undefined ? {} : { region: settings.region }),
    ...(settings.profile === undefined ? {} : { profile: settings.profile }),
    ...identityOf(settings),
  });
  signDigests(client, settings.checksum === 'sha256');
  return client;
}

const CHECKSUM = 'x-amz-checksum-sha256';

/**
 * Lets the signature cover the digest that a request carries as its checksum, so that the SDK does not hash the bytes
 * again: a storage that checks signatures refuses a payload that was damaged on its way.
 */
function signDigests(client: S3Client, sendChecksum: boolean): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const headers = hasHeaders(args.request) ? args.request.headers : {};
      const checksum = headers[CHECKSUM];
      if (checksum !== undefined) {
        headers['x-amz-content-sha256'] = Buffer.from(checksum, 'base64').toString('hex');
        if (!sendChecksum) delete headers[CHECKSUM];
      }
      return next(args);
    },
    { step: 'build', name: 'signDigests', priority: 'low' },
  );
}

function hasHeaders(request: unknown): request is { readonly headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request;
}

function identityOf(settings: S3Settings): Pick<S3ClientConfig, 'credentials' | 'signer'> {
  if (settings.anonymous)
    return {
      credentials: { accessKeyId: 'anonymous', secretAccessKey: '' },
      signer: { sign: async (request) => request },
    };
  return settings.credentials === undefined ? {} : { credentials: settings.credentials };
}

/**
 * The artifacts of MLflow: files of runs, logged models and versions under `mlflow-artifacts:/…`. Its clients put and get
 * them one by one; large ones in parts, or by addresses that are signed for a while.
 */

import { IngotError } from '@ingot/core/errors';
import { openSignal } from '@ingot/core/open-signal';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ArtifactPath } from '../../artifacts/artifact-path.ts';
import { DEFAULT_PACE, inPace } from '../../contents/body-pace.ts';
import { BodyReader } from '../../contents/body-reader.ts';
import type { ArtifactEntry } from '../../artifacts/artifact-rows.ts';
import { type ArtifactServices, checkPath, pathBehind } from './artifact-access.ts';
import { sendFile } from './artifact-reply.ts';
import { MLFLOW_PREFIXES } from './mlflow-route.ts';
import { partRoutes, presignedRoutes, signedRoutes } from './artifact-transfer-routes.ts';

/** Where the artifacts lie: clients use the first, MLflow's pages the other. */
export const ARTIFACT_PREFIXES = ['/api/2.0/mlflow-artifacts', '/ajax-api/2.0/mlflow-artifacts'] as const;

/** The handler asks, for only the path says whose a file is. */
const config = { access: { handler: 'checks' } } as const;

/** Registers the routes of artifacts in the part of the application that has MLflow's errors. */
export async function artifactRoutes(scope: FastifyInstance, services: ArtifactServices): Promise<void> {
  await scope.register(async (files) => {
    takeAnyBody(files);
    for (const prefix of ARTIFACT_PREFIXES) fileRoutes(files, services, `${prefix}/artifacts`);
    signedRoutes(files, services);
  });
  for (const prefix of ARTIFACT_PREFIXES) partRoutes(scope, services, prefix);
  for (const prefix of MLFLOW_PREFIXES) presignedRoutes(scope, services, prefix);
}

/** Bodies of all types are left to the handler, which reads them as they come. */
function takeAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

function fileRoutes(scope: FastifyInstance, services: ArtifactServices, prefix: string): void {
  const { artifacts } = services;
  scope.get(prefix, { config }, async (request) => {
    const path = queriedPath(request);
    await checkPath(services, request, 'read', path);
    return listed(await entriesOf(services, path));
  });
  scope.get(`${prefix}/*`, { config }, async (request, reply) => {
    const path = pathBehind(request, `${prefix}/`);
    await checkPath(services, request, 'read', path);
    return await sendArtifact(services, path, request, reply);
  });
  scope.put(`${prefix}/*`, { config }, async (request, reply) => {
    const path = pathBehind(request, `${prefix}/`);
    await checkPath(services, request, 'push', path);
    await takeFile(services, path, request, reply);
    return reply.status(200).send('');
  });
  scope.delete(`${prefix}/*`, { config }, async (request) => {
    const path = pathBehind(request, `${prefix}/`);
    await checkPath(services, request, 'push', path);
    refuseVersions(services, path);
    await artifacts.tree.remove(path);
    return {};
  });
}

/** Sends the file of a path, of runs or of versions. Throws `not-found`. */
export async function sendArtifact(
  { artifacts }: ArtifactServices,
  path: ArtifactPath,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { name } = path;
  if (artifacts.versions.has(path)) {
    const file = await artifacts.versions.file(path);
    return await sendFile(request, reply, { name, ...file });
  }
  const file = await artifacts.tree.file(path);
  return await sendFile(request, reply, { name, ...file, read: (options) => artifacts.tree.read(file, options) });
}

/** Takes the body of a request as the file of a path. */
export async function takeFile(
  services: ArtifactServices,
  path: ArtifactPath,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  refuseVersions(services, path);
  const { digest } = await takeBody(services, request, reply, (body, options) =>
    services.artifacts.tree.put(path, body, options),
  );
  reply.header('etag', `"${digest}"`);
}

/** Reads a body; who is refused in the middle of it, or stalls, is not listened to any longer. */
export async function takeBody<T>(
  { pace = DEFAULT_PACE }: ArtifactServices,
  request: FastifyRequest,
  reply: FastifyReply,
  take: (body: AsyncIterable<Uint8Array>, options: BodyOptions) => Promise<T>,
): Promise<T> {
  const { signal, end } = openSignal();
  request.raw.once('aborted', end);
  try {
    const onTaken = (): void => void reply.header('connection', 'close');
    const blocks = (sizeBytes: number): BodyReader =>
      new BodyReader({ request: request.raw, sizeBytes, pace, onTaken }, 'fail');
    return await take(inPace(request.raw, pace), { sizeBytes: sizeOf(request), blocks, signal });
  } catch (error) {
    if (!request.raw.complete) reply.header('connection', 'close');
    throw error;
  } finally {
    request.raw.off('aborted', end);
  }
}

interface BodyOptions {
  readonly sizeBytes: number | undefined;
  blocks(sizeBytes: number): BodyReader;
  readonly signal: AbortSignal;
}

function sizeOf({ headers }: FastifyRequest): number | undefined {
  const said = headers['content-length'];
  return said === undefined ? undefined : Number(said);
}

/** What lies in a directory, of runs or of versions. */
export async function entriesOf(
  { artifacts }: ArtifactServices,
  path: ArtifactPath | undefined,
): Promise<readonly ArtifactEntry[]> {
  return path !== undefined && artifacts.versions.has(path) ? artifacts.versions.list(path) : artifacts.tree.list(path);
}

/** A listing as MLflow's clients read it: names alone, sizes of files, nothing at all for what is no directory. */
function listed(entries: readonly ArtifactEntry[]): object {
  if (entries.length === 0) return {};
  return { files: entries.map(({ name, sizeBytes }) => entryJson(name, sizeBytes)) };
}

/** A file or directory of a listing. */
export function entryJson(path: string, sizeBytes: number | undefined): object {
  return sizeBytes === undefined ? { path, is_dir: true } : { path, is_dir: false, file_size: sizeBytes };
}

function queriedPath({ query }: FastifyRequest): ArtifactPath | undefined {
  const path: unknown = Object(query).path;
  if (path === undefined || path === '' || path === '/') return undefined;
  if (typeof path === 'string') return ArtifactPath.parse(path);
  throw new IngotError('invalid-request', 'path must be given once');
}

function refuseVersions({ artifacts }: ArtifactServices, path: ArtifactPath): void {
  if (artifacts.versions.has(path))
    throw new IngotError('forbidden', 'files of a version never change; push a new version');
}

import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ArtifactPath } from '../../artifacts/artifact-path.ts';
import type { SignedAct } from '../../artifacts/signed-addresses.ts';
import { requireTreePath } from '../../artifacts/version-source.ts';
import { type ArtifactServices, checkPath, pathBehind } from './artifact-access.ts';
import { sendArtifact, takeBody, takeFile } from './artifact-routes.ts';
import { Fields } from './fields.ts';

const config = { access: { handler: 'checks' } } as const;

/** Where signed addresses lie: whoever has one needs no other proof. */
const SIGNED = '/api/2.0/mlflow-artifacts/signed';
/** How long an address is good for that nobody asked a time for. */
const USUAL_SECONDS = 900;
const PART_SECONDS = 6 * 3600;

/** Routes of files in parts, and of addresses that are signed. */
export function partRoutes(scope: FastifyInstance, services: ArtifactServices, prefix: string): void {
  const { multipart, addresses } = services.artifacts;
  const target = async (request: FastifyRequest, verb: string) => {
    const fields = new Fields(request.body);
    const directory = pathBehind(request, `${prefix}/mpu/${verb}/`);
    const path = directory.below(baseName(fields.text('path')));
    await checkPath(services, request, 'push', path);
    return { fields, path };
  };
  scope.post(`${prefix}/mpu/create/*`, { config }, async (request) => {
    const { fields, path } = await target(request, 'create');
    const parts = fields.optionalInteger('num_parts') ?? 1;
    const upload = await multipart.create(path, parts);
    const credentials = Array.from({ length: parts }, (_, n) => ({
      url: addressFor(request, addresses.sign({ act: 'part', upload, number: n + 1 }, PART_SECONDS)),
      part_number: n + 1,
      headers: {},
    }));
    return { upload_id: upload, credentials };
  });
  scope.post(`${prefix}/mpu/complete/*`, { config }, async (request) => {
    const { fields, path } = await target(request, 'complete');
    const parts = fields.messages('parts').map((part) => ({
      number: part.integer('part_number'),
      etag: part.text('etag'),
    }));
    await multipart.complete(fields.text('upload_id'), path, parts);
    return {};
  });
  scope.post(`${prefix}/mpu/abort/*`, { config }, async (request) => {
    const { fields, path } = await target(request, 'abort');
    await multipart.abort(fields.text('upload_id'), path);
    return {};
  });
  scope.get(`${prefix}/presigned/*`, { config }, async (request) => {
    const path = pathBehind(request, `${prefix}/presigned/`);
    await checkPath(services, request, 'read', path);
    const { url, file_size } = await signedRead(services, request, path, USUAL_SECONDS);
    return { url, headers: {}, file_size };
  });
}

/** Routes that answer to whoever holds a signed address. */
export function signedRoutes(scope: FastifyInstance, services: ArtifactServices): void {
  const { artifacts } = services;
  const actOf = (request: FastifyRequest): SignedAct => {
    const { token } = Object(request.params);
    return artifacts.addresses.read(String(token));
  };
  const isSigned = (request: FastifyRequest): boolean => {
    try {
      return actOf(request) !== undefined;
    } catch {
      return false;
    }
  };
  const open = { config: { access: { isSigned } } };
  scope.get(`${SIGNED}/:token`, open, async (request, reply) => {
    const act = actOf(request);
    if (act.act !== 'read') throw wrongAct();
    return await sendArtifact(services, act.path, request, reply);
  });
  scope.put(`${SIGNED}/:token`, open, async (request, reply) => {
    const act = actOf(request);
    if (act.act === 'write') await takeFile(services, act.path, request, reply);
    else if (act.act === 'part') {
      const { upload, number } = act;
      const etag = await takeBody(services, request, reply, (body, options) =>
        artifacts.multipart.putPart(upload, number, body, options),
      );
      reply.header('etag', etag);
    } else throw wrongAct();
    return reply.status(200).send('');
  });
}

/** Makes an address that gives a file for a while. Throws `not-found`. */
export async function signedRead(
  { artifacts }: ArtifactServices,
  request: FastifyRequest,
  path: ArtifactPath,
  seconds: number,
): Promise<{ readonly url: string; readonly file_size: number }> {
  const { sizeBytes } = artifacts.versions.has(path)
    ? await artifacts.versions.file(path)
    : await artifacts.tree.file(path);
  return { url: addressFor(request, artifacts.addresses.sign({ act: 'read', path }, seconds)), file_size: sizeBytes };
}

/** `POST artifacts/presigned-upload-url` and `presigned-download-url`, below each of MLflow's prefixes. */
export function presignedRoutes(scope: FastifyInstance, services: ArtifactServices, prefix: string): void {
  const { addresses } = services.artifacts;
  scope.post(`${prefix}/artifacts/presigned-upload-url`, { config }, async (request) => {
    const { path, seconds } = await presignedTarget(services, request);
    await checkPath(services, request, 'push', path);
    return { presigned_url: addressFor(request, addresses.sign({ act: 'write', path }, seconds)), headers: {} };
  });
  scope.post(`${prefix}/artifacts/presigned-download-url`, { config }, async (request) => {
    const { path, seconds } = await presignedTarget(services, request);
    await checkPath(services, request, 'read', path);
    const { url, file_size } = await signedRead(services, request, path, seconds);
    return { presigned_url: url, headers: {}, file_size };
  });
}

async function presignedTarget(
  { artifacts: { places } }: ArtifactServices,
  request: FastifyRequest,
): Promise<{ readonly path: ArtifactPath; readonly seconds: number }> {
  const fields = new Fields(request.body);
  const [run, model] = [fields.optional('run_id'), fields.optional('model_id')];
  if ((run === undefined) === (model === undefined))
    throw new IngotError('invalid-request', 'Exactly one of run_id and model_id must be provided.');
  const below = ArtifactPath.parse(fields.text('path'));
  const root = run === undefined ? await places.loggedModel(model ?? '') : await places.run(run);
  const seconds = fields.optionalInteger('expiration') ?? USUAL_SECONDS;
  return { path: requireTreePath(root).below(below.text), seconds };
}

/** Clients call the server by the name that they know it by. */
function addressFor(request: FastifyRequest, token: string): string {
  return `${request.protocol}://${request.host}${SIGNED}/${token}`;
}

/** Clients say the file's whole path on their machine. */
function baseName(path: string): string {
  return path.split(/[/\\]/).at(-1) ?? path;
}

function wrongAct(): IngotError {
  return new IngotError('forbidden', 'this address is good for something else');
}

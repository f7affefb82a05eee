import { IngotError, isIngotError } from '@ingot/core/errors';
import type { FastifyRequest } from 'fastify';
import type { Permission } from '../../access/identity.ts';
import { ArtifactPath } from '../../artifacts/artifact-path.ts';
import type { Artifacts } from '../../artifacts/artifacts.ts';
import type { BodyPace } from '../../contents/body-pace.ts';
import type { Services } from '../../services.ts';

/** What the routes of artifacts work with. */
export interface ArtifactServices extends Pick<Services, 'authorizer'> {
  readonly artifacts: Artifacts;
  /** How slowly files may come. Default: {@link DEFAULT_PACE}. */
  readonly pace?: BodyPace | undefined;
}

/**
 * The path that follows a prefix in an address, as it came: what a framework has decoded cannot be told from what was
 * sent so. Throws `invalid-request`.
 */
export function pathBehind(request: FastifyRequest, prefix: string): ArtifactPath {
  const [path = ''] = request.raw.url?.split('?') ?? [];
  const at = path.indexOf(prefix);
  return ArtifactPath.fromUrl(path.slice(at + prefix.length));
}

/** Lets through who may act on a path: what runs logged is the server's, files of versions are their model's. */
export async function checkPath(
  { artifacts, authorizer }: ArtifactServices,
  request: FastifyRequest,
  permission: Permission,
  path: ArtifactPath | undefined,
): Promise<void> {
  if (path === undefined || !artifacts.versions.has(path)) {
    authorizer.check(request.identity, permission, { kind: 'server' });
    return;
  }
  const model = await artifacts.versions.modelOf(path);
  try {
    authorizer.check(request.identity, permission, { kind: 'model', model });
  } catch (error) {
    // The path has the model's id only: its name is told to nobody who may not read it.
    throw isIngotError(error, 'model-not-found')
      ? new IngotError('not-found', `No such artifact: ${path.text}`)
      : error;
  }
}

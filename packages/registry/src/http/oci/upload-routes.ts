import { isIngotError } from '@ingot/core/errors';
import { type DigestAlgorithm, DIGEST_LENGTHS } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { FastifyReply } from 'fastify';
import { type BodyPace, DEFAULT_PACE, inPace } from '../../contents/body-pace.ts';
import { BodyReader } from '../../contents/body-reader.ts';
import { requestedDigest } from '../../oci/blob-context.ts';
import type { BlobRoom } from '../../oci/blob-room.ts';
import { ociError } from '../../oci/oci-error.ts';
import { parseRepository, type RepositoryName, repositoryTarget } from '../../oci/repository.ts';
import { MIN_PART_BYTES, type PartBody, type UploadStatus } from '../../oci/uploads.ts';
import { askForMore } from './oci-challenge.ts';
import type { OciCall, OciRoutes } from './oci-route.ts';

/** Routes by which blobs come: in one request, in several, or from another repository. `pace`: how slowly. */
export function uploadRoutes({ blobs, uploads }: BlobRoom, pace: BodyPace = DEFAULT_PACE): OciRoutes {
  const bodyOf = (call: OciCall): PartBody => incoming(call, pace);
  return ({ authorizer }) => {
    const mounted = async ({ query, repository, identity }: OciCall): Promise<OciDigest | undefined> => {
      const mount = query.get('mount');
      if (mount === null) return undefined;
      const digest = requestedDigest(mount);
      const from = query.get('from');
      const source = from === null || from === '' ? undefined : parseRepository(from);
      if (source !== undefined) askForMore(authorizer, identity, repositoryTarget(source));
      const mayRead = (name: RepositoryName): boolean => authorizer.may(identity, 'read', repositoryTarget(name));
      return (await blobs.mount(repository, digest, source, mayRead)) ? digest : undefined;
    };
    const begin = async (call: OciCall): Promise<FastifyReply> => {
      const { query, reply, repository } = call;
      const lent = await mounted(call);
      if (lent !== undefined) return created(reply, repository, lent);
      const named = query.get('digest');
      if (named !== null && query.get('mount') === null) {
        const digest = requestedDigest(named);
        await uploads.put(repository, digest, bodyOf(call));
        return created(reply, repository, digest);
      }
      const status = await uploads.begin(repository, algorithmOf(query.get('digest-algorithm')));
      return underWay(reply.status(202).header('oci-chunk-min-length', MIN_PART_BYTES), repository, status).send();
    };
    const append = async (call: OciCall): Promise<FastifyReply> => {
      const { reply, repository, part } = call;
      try {
        const status = await uploads.append(repository, part('id'), bodyOf(call));
        return underWay(reply.status(202), repository, status).send();
      } catch (error) {
        throw await told(call, error);
      }
    };
    const finish = async (call: OciCall): Promise<FastifyReply> => {
      const { query, reply, repository, part } = call;
      const named = query.get('digest');
      if (named === null) throw ociError('DIGEST_INVALID', 'the digest of the blob must be in the query');
      const digest = requestedDigest(named);
      try {
        await uploads.finish(repository, part('id'), digest, hasBody(call) ? bodyOf(call) : undefined);
      } catch (error) {
        throw await told(call, error);
      }
      return created(reply, repository, digest);
    };
    /** Whoever sent something else than what comes next is told what that is. */
    const told = async ({ reply, repository, part }: OciCall, error: unknown): Promise<unknown> => {
      if (isIngotError(error) && error.details.oci === 'RANGE_INVALID')
        underWay(reply, repository, await uploads.status(repository, part('id')));
      return error;
    };
    return [
      { methods: ['POST'], at: 'blobs/uploads', needs: 'push', answer: begin },
      { methods: ['PATCH'], at: 'blobs/uploads/:id', needs: 'push', answer: append },
      { methods: ['PUT'], at: 'blobs/uploads/:id', needs: 'push', answer: finish },
      {
        methods: ['GET', 'HEAD'],
        at: 'blobs/uploads/:id',
        needs: 'push',
        answer: async ({ reply, repository, part }) => {
          const status = await uploads.status(repository, part('id'));
          return underWay(reply.status(204), repository, status).send();
        },
      },
      {
        methods: ['DELETE'],
        at: 'blobs/uploads/:id',
        needs: 'push',
        answer: async ({ reply, repository, part }) => {
          await uploads.cancel(repository, part('id'));
          return reply.status(204).send();
        },
      },
    ];
  };
}

/** Addresses are paths, so that they are right by whatever name a client calls the server. */
function created(reply: FastifyReply, repository: RepositoryName, digest: OciDigest): FastifyReply {
  return reply
    .status(201)
    .headers({ location: `/v2/${pathOf(repository)}/blobs/${digest}`, 'docker-content-digest': digest })
    .send();
}

/** Says how far an upload is; `0-0` also stands for nothing yet, as clients are used to. */
function underWay(reply: FastifyReply, repository: RepositoryName, { id, sizeBytes }: UploadStatus): FastifyReply {
  return reply.headers({
    location: `/v2/${pathOf(repository)}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, sizeBytes - 1)}`,
    'docker-upload-uuid': id,
  });
}

function pathOf(repository: RepositoryName): string {
  return repository.split('/').map(encodeURIComponent).join('/');
}

function incoming({ request, reply }: OciCall, pace: BodyPace): PartBody {
  const { headers, raw } = request;
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
    throw ociError('UNSUPPORTED', 'blobs are taken as they are, without Content-Encoding', { status: 415 });
  const said = headers['content-length'];
  const range = headers['content-range'];
  const sizeBytes = said === undefined ? undefined : Number(said);
  const onTaken = (): void => void reply.header('connection', 'close');
  return {
    stream: inPace(raw, pace),
    sizeBytes,
    blocks: (onStop) => new BodyReader({ request: raw, sizeBytes, pace, onTaken }, onStop),
    ...(range !== undefined && { range: partRange(range) }),
  };
}

/** The spec's own form, `0-1023`, and that of HTTP, `bytes 0-1023/2048`. */
function partRange(header: string): { readonly start: number; readonly end: number } {
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header) ?? [];
  const [start, end] = [Number(first), Number(last) + 1];
  if (start < end) return { start, end };
  throw ociError('RANGE_INVALID', `"${header.slice(0, 80)}" is no range of bytes`, { hint: 'Content-Range: 0-1023' });
}

function hasBody({ request: { headers } }: OciCall): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function algorithmOf(text: string | null): DigestAlgorithm | undefined {
  if (text === null) return undefined;
  if (text === 'sha256' || text === 'sha512') return text;
  throw ociError('DIGEST_INVALID', `"${text.slice(0, 40)}" is no algorithm that this registry computes`, {
    hint: Object.keys(DIGEST_LENGTHS).join(', '),
  });
}

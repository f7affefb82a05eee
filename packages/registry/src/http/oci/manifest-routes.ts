import type { OciDigest } from '@ingot/core/oci/oci-place';
import { MAX_OCI_MANIFEST_BYTES } from '@ingot/core/oci/manifest';
import { isIngotError } from '@ingot/core/errors';
import type { FastifyReply } from 'fastify';
import { DEFAULT_PACE, inPace } from '../../contents/body-pace.ts';
import type { Manifests, Writer } from '../../oci/manifests.ts';
import { ociError } from '../../oci/oci-error.ts';
import { digestIn } from '../../oci/pushed-models.ts';
import { readManifest, tooLarge } from '../../oci/read-manifest.ts';
import { repositoryTarget } from '../../oci/repository.ts';
import type { Services } from '../../services.ts';
import { parseJsonBody } from '../json-body.ts';
import { actorOf } from '../native/actor.ts';
import { checkGranted } from './oci-challenge.ts';
import type { OciCall, OciRoutes } from './oci-route.ts';

/** Routes of manifests: to read, to push, to delete, by tag and by digest. `largestBytes` default: 4 MiB. */
export function manifestRoutes(manifests: Manifests, largestBytes = MAX_OCI_MANIFEST_BYTES): OciRoutes {
  return (services) => [
    { methods: ['GET', 'HEAD'], at: 'manifests/:reference', needs: 'read', answer: (call) => read(manifests, call) },
    // What else it needs follows from what the manifest is and what its tag means.
    {
      methods: ['PUT'],
      at: 'manifests/:reference',
      needs: 'read',
      answer: (call) => put(manifests, { ...call, largestBytes }, writerOf(services, call)),
    },
    {
      methods: ['DELETE'],
      at: 'manifests/:reference',
      needs: 'read',
      answer: (call) => remove(manifests, call, writerOf(services, call)),
    },
  ];
}

function writerOf({ authorizer }: Pick<Services, 'authorizer'>, { request, repository, identity }: OciCall): Writer {
  return {
    actor: actorOf(request),
    check: (permission, alias) => {
      const asked = request.method === 'DELETE' ? 'admin' : permission;
      checkGranted(authorizer, identity, permission, repositoryTarget(repository, alias), asked);
    },
  };
}

async function read(manifests: Manifests, call: OciCall): Promise<FastifyReply> {
  const { request, reply, repository } = call;
  const manifest = await manifests.read(repository, referenceOf(call));
  const { bytes, mediaType, digest } = manifest;
  reply.headers({ 'docker-content-digest': digest, etag: `"${digest}"`, vary: 'Accept' });
  if (hasAlready(request.headers['if-none-match'], digest)) return reply.status(304).send();
  reply.type(mediaType).header('content-length', bytes.byteLength);
  return request.method === 'HEAD' ? reply.send() : reply.send(Buffer.from(bytes));
}

function hasAlready(header: string | undefined, digest: OciDigest): boolean {
  return header?.split(',').some((tag) => [`"${digest}"`, `W/"${digest}"`].includes(tag.trim())) === true;
}

type PutCall = OciCall & { readonly largestBytes: number };

async function put(manifests: Manifests, call: PutCall, writer: Writer): Promise<FastifyReply> {
  const { request, reply, repository, query } = call;
  const reference = referenceOf(call);
  const bytes = await bodyOf(call);
  const manifest = readManifest(bytes, jsonOf(bytes), request.headers['content-type'], call.largestBytes);
  const [digest, tags] =
    'tag' in reference ? [undefined, [reference.tag]] : [reference.digest, [...new Set(query.getAll('tag'))]];
  const taken = await manifests.take(repository, manifest, { digest, tags }, writer);
  reply.headers({
    location: `/v2/${repository}/manifests/${taken.digest}`,
    'docker-content-digest': taken.digest,
    ...(manifest.subject !== undefined && { 'oci-subject': manifest.subject.digest }),
    ...(tags.length > 0 && digest !== undefined && { 'oci-tag': tags }),
  });
  return reply.status(201).send();
}

async function remove(manifests: Manifests, call: OciCall, writer: Writer): Promise<FastifyReply> {
  const { reply, repository } = call;
  const reference = referenceOf(call);
  if ('tag' in reference) await manifests.removeTag(repository, reference.tag, writer);
  else await manifests.remove(repository, reference.digest, writer);
  return reply.status(202).send();
}

function referenceOf({ part }: OciCall): { readonly tag: string } | { readonly digest: OciDigest } {
  const text = part('reference');
  const digest = digestIn(text);
  return digest === undefined ? { tag: text } : { digest };
}

async function bodyOf({ request, largestBytes }: PutCall): Promise<Uint8Array> {
  const said = Number(request.headers['content-length'] ?? 0);
  if (said > largestBytes) throw tooLarge(largestBytes);
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of inPace(request.raw, DEFAULT_PACE)) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > largestBytes) throw tooLarge(largestBytes);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Parses JSON, and refuses what two readers may understand differently. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return parseJsonBody(text);
  } catch (error) {
    if (error instanceof TypeError) throw ociError('MANIFEST_INVALID', 'the manifest is no UTF-8', { cause: error });
    if (isIngotError(error, 'invalid-request'))
      throw ociError('MANIFEST_INVALID', error.message.replace(/^the body/, 'the manifest'), { cause: error });
    throw error;
  }
}

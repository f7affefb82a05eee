import type { Descriptor } from '@ingot/core/oci/oci-place';
import type { FastifyReply } from 'fastify';
import { OCI_MEDIA_TYPES } from '@ingot/core/oci/media-types';
import type { Referrer } from '../../oci/manifest-rows.ts';
import type { Manifests } from '../../oci/manifests.ts';
import { ociError } from '../../oci/oci-error.ts';
import { digestIn } from '../../oci/pushed-models.ts';
import type { OciCall, OciRoutes } from './oci-route.ts';

/** Referrers of one answer: what they say of themselves may be long. */
const REFERRERS_AT_ONCE = 1000;
const INDEX_BYTES = 3_500_000;

/** Routes of lists: tags, and what says something about a manifest. */
export function listRoutes(manifests: Manifests): OciRoutes {
  return () => [
    { methods: ['GET', 'HEAD'], at: 'tags/list', needs: 'read', answer: (call) => listTags(manifests, call) },
    {
      methods: ['GET', 'HEAD'],
      at: 'referrers/:digest',
      needs: 'read',
      answer: (call) => listReferrers(manifests, call),
    },
  ];
}

async function listTags(manifests: Manifests, { reply, repository, query }: OciCall): Promise<FastifyReply> {
  const tags = await manifests.tags(repository);
  const { page, next } = pageOf(tags, query);
  if (next !== undefined) reply.header('link', linkTo(`/v2/${repository}/tags/list`, next));
  return sendJson(reply, 'application/json', { name: repository, tags: page });
}

/** A page of a sorted list, and what the query of the next one says. Throws UNSUPPORTED (400) for a number that is none. */
export function pageOf(
  sorted: readonly string[],
  query: URLSearchParams,
): { readonly page: readonly string[]; readonly next: URLSearchParams | undefined } {
  const [n, last] = [query.get('n'), query.get('last')];
  if (n !== null && !/^\d{1,9}$/.test(n))
    throw ociError('UNSUPPORTED', `"${n.slice(0, 40)}" is no number of entries`, { status: 400 });
  const rest = last === null ? sorted : sorted.filter((each) => each > last);
  const page = n === null ? rest : rest.slice(0, Number(n));
  const end = page.at(-1);
  if (page.length === rest.length || end === undefined) return { page, next: undefined };
  return { page, next: new URLSearchParams({ n: String(page.length), last: end }) };
}

async function listReferrers(manifests: Manifests, call: OciCall): Promise<FastifyReply> {
  const { reply, repository, query, part } = call;
  const text = part('digest');
  const digest = digestIn(text);
  if (digest === undefined) throw ociError('DIGEST_INVALID', `"${text.slice(0, 160)}" is no digest`);
  const artifactType = query.get('artifactType');
  const last = query.get('last');
  const found = (await manifests.referrers(repository, digest))
    .filter((each) => artifactType === null || artifactType === '' || each.artifactType === artifactType)
    .filter((each) => last === null || each.digest > last)
    .map(descriptorOf);
  const page = firstOf(found);
  const end = page.at(-1);
  if (page.length < found.length && end !== undefined) {
    const next = new URLSearchParams({ last: end.digest, ...(artifactType && { artifactType }) });
    reply.header('link', linkTo(`/v2/${repository}/referrers/${digest}`, next));
  }
  if (artifactType !== null && artifactType !== '') reply.header('oci-filters-applied', 'artifactType');
  return sendJson(reply, OCI_MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: OCI_MEDIA_TYPES.index,
    manifests: page,
  });
}

function descriptorOf({ digest, mediaType, size, artifactType, annotations }: Referrer): Descriptor {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

/** As many as fit into an index that every client takes; one always does. */
function firstOf(found: readonly Descriptor[]): readonly Descriptor[] {
  let bytes = 0;
  const end = found.findIndex((each, n) => {
    bytes += Buffer.byteLength(JSON.stringify(each));
    return n > 0 && (n === REFERRERS_AT_ONCE || bytes > INDEX_BYTES);
  });
  return end < 0 ? found : found.slice(0, end);
}

function linkTo(path: string, query: URLSearchParams): string {
  return `<${path}?${query.toString()}>; rel="next"`;
}

/** Sends JSON whose type is no other than what is said, for clients compare it. */
export function sendJson(reply: FastifyReply, type: string, value: object): FastifyReply {
  const bytes = Buffer.from(JSON.stringify(value));
  reply.header('content-type', type).header('content-length', bytes.byteLength);
  return reply.request.method === 'HEAD' ? reply.send() : reply.send(bytes);
}

import { type Digest, isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { Piece } from '@ingot/core/content/recipe';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Identity } from '../../access/identity.ts';
import { liesIn } from '../../contents/byte-spans.ts';
import type { Reach } from '../../contents/reach.ts';
import type { ServedContents } from '../../contents/served-contents.ts';

const MOST = 512;
/** A push right after another one should know its pieces; but it does not wait for a slow store. */
const WAIT_MS = 2000;

const asked = z.object({ digests: z.array(z.string()).min(1).max(MOST) });

/**
 * The route by which a client learns which pieces need not be sent: those that lie in packs the caller may read anyway.
 * Of others it hears nothing, so that a digest tells nobody what somebody else has.
 */
export function pieceRoutes(app: FastifyInstance, contents: ServedContents): void {
  app.post('/api/v1/pieces', { config: { access: { handler: 'checks' } } }, async (request) => {
    const { data, success } = asked.safeParse(request.body);
    if (!success) throw new IngotError('invalid-request', `digests: a list of 1 to ${MOST} digests`);
    const digests = data.digests.map(checkedDigest);
    await contents.notes.settled(WAIT_MS);
    const found = await contents.packs.find(digests);
    return { pieces: await readable(contents, request.identity, found) };
  });
}

async function readable(
  { access }: ServedContents,
  identity: Identity,
  pieces: readonly Piece[],
): Promise<readonly Piece[]> {
  const reaches = new Map<string, Reach>();
  for (const pack of new Set(pieces.map(({ pack }) => pack))) {
    const reach = await access.reachOf(identity, pack);
    if (reach !== undefined) reaches.set(pack, reach);
  }
  return pieces.filter(({ pack, offset, length }) => {
    const reach = reaches.get(pack) ?? [];
    return reach === 'all' || liesIn({ start: offset, end: offset + length }, reach);
  });
}

function checkedDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new IngotError('invalid-request', `"${text.slice(0, 80)}" is no digest`, { hint: 'sha256:…, 64 hex digits' });
}

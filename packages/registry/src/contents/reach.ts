import type { ByteSpan } from './byte-spans.ts';

/** What somebody may read of a pack: all, or some joined spans. */
export type Reach = 'all' | readonly ByteSpan[];

/** The upload that wrote a pack: a pack's id begins with it. */
export function uploadOf(pack: string): string {
  return pack.slice(0, pack.indexOf('/'));
}

import type { BlobStore } from '../blob-store.ts';
import { bodyOf } from '../bytes.ts';
import type { StepOptions } from './canary.ts';
import { filledBody, textAt } from './canary.ts';

const WRITERS = 8;
const ROUNDS = 3;
const SHOWN_BYTES = 16;

/** How a race of writers for one key ended. */
export type RaceResult =
  | { readonly honest: true }
  | {
      readonly honest: false;
      /** How many writers were told that they had made it. */
      readonly winners: number;
      readonly writers: number;
      /** The winner's bytes were replaced. */
      readonly replaced: boolean;
    };

/**
 * Lets several writers create one key at once. Exactly one may win, and its bytes must be what lies there. A round in
 * which nobody was told so (the winner's reply was lost) says nothing and is repeated.
 */
export async function race(
  clients: readonly [BlobStore, ...BlobStore[]],
  keyOf: (round: number) => string,
  options: StepOptions,
): Promise<RaceResult> {
  for (let round = 0; round < ROUNDS; round++) {
    const key = keyOf(round);
    const told = await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const client = clients[writer % clients.length] ?? clients[0];
        return (await client.write(key, bodyOf(textOf(writer)), options)) === 'created' ? writer : undefined;
      }),
    );
    const winners = told.filter((writer) => writer !== undefined);
    const lies = await textAt(clients[0], key, options);
    const replaced = winners[0] !== undefined && lies !== textOf(winners[0]);
    if (winners.length > 1 || (winners.length === 1 && replaced))
      return { honest: false, winners: winners.length, writers: WRITERS, replaced };
    if (winners.length === 1) break;
  }
  return { honest: true };
}

function textOf(writer: number): string {
  return `writer ${writer}`;
}

/** Writes a large blob twice; the second must be refused and the first one's bytes stay. Two large writes. */
export async function createsLargeOnce(
  blobs: BlobStore,
  key: string,
  sizeBytes: number,
  options: StepOptions,
): Promise<boolean> {
  await blobs.write(key, filledBody(sizeBytes, 'a'), options);
  const again = await blobs.write(key, filledBody(sizeBytes, 'b'), options);
  let first = '';
  const range = { start: sizeBytes - SHOWN_BYTES, end: sizeBytes };
  for await (const piece of blobs.read(key, { ...options, range })) first += Buffer.from(piece).toString();
  return again === 'exists' && first === 'a'.repeat(SHOWN_BYTES);
}

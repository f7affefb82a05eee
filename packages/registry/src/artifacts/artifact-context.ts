import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Services } from '../services.ts';

/** What this room works with. */
export interface ArtifactContext extends Pick<Services, 'store' | 'database' | 'log' | 'now' | 'random'> {
  /** Id of this server's database: roots carry it, so that no other server takes them for its own. */
  readonly owner: string;
  /** Signs addresses that let whoever has them read or write one file. */
  readonly key: Uint8Array;
  /** Folder for what is only passing through. */
  readonly scratch: string;
}

/** Reads or makes what the room remembers of itself. */
export async function openArtifactContext(
  services: Omit<ArtifactContext, 'owner' | 'key' | 'scratch'>,
  scratch: string,
): Promise<ArtifactContext> {
  const { store, database, log, now, random } = services;
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const owner = await setting(services, 'owner', () => hexOf(random(16)));
  // Never from a source that a test may have made predictable for ids.
  const key = await setting(services, 'key', () => hexOf(randomBytes(32)));
  return { store, database, log, now, random, owner, key: Buffer.from(key, 'hex'), scratch };
}

/** A new id, of 32 letters and digits. */
export function newId({ random }: Pick<ArtifactContext, 'random'>): string {
  return hexOf(random(16));
}

/** The first server that comes decides; others of the same database read what it wrote. */
async function setting(
  { database }: Pick<ArtifactContext, 'database'>,
  name: string,
  make: () => string,
): Promise<string> {
  await database.own
    .insertInto('artifact_settings')
    .values({ name, value: make() })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const row = await database.own
    .selectFrom('artifact_settings')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return row.value;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

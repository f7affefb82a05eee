import { z } from 'zod';

/** An object as GCS describes it. */
export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  readonly createdAt: Date;
  readonly generation: string;
  /** Whether a newer generation, or a deletion, has taken its place. */
  readonly isReplaced: boolean;
}

/** A page of a listing. */
export interface ObjectPage {
  readonly objects: readonly StoredObject[];
  readonly nextPageToken: string | undefined;
}

// Numbers come as text, because JSON's may lose digits.
const OBJECT = z.object({
  name: z.string(),
  size: z.coerce.number().int().nonnegative(),
  timeCreated: z.coerce.date(),
  generation: z.coerce.string(),
  timeDeleted: z.string().optional(),
});

const PAGE = z.object({ items: z.array(OBJECT).optional(), nextPageToken: z.string().optional() });

/** Reads the description of one object. */
export function readObject(value: unknown): StoredObject {
  return described(OBJECT.parse(value));
}

/** Reads a page of a listing. */
export function objectsIn(value: unknown): ObjectPage {
  const { items = [], nextPageToken } = PAGE.parse(value);
  return { objects: items.map(described), nextPageToken: nextPageToken === '' ? undefined : nextPageToken };
}

function described({ name, size, timeCreated, generation, timeDeleted }: z.infer<typeof OBJECT>): StoredObject {
  return {
    name,
    sizeBytes: size,
    createdAt: timeCreated,
    generation,
    isReplaced: timeDeleted !== undefined && !timeDeleted.startsWith('0001-'),
  };
}

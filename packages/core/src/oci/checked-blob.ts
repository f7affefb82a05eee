import { IngotError } from '../errors.ts';
import { createOciDigester, type OciDigester, splitDigest } from './digest.ts';
import type { Descriptor } from './oci-place.ts';

/** What contents are said to be. */
export type BlobName = Pick<Descriptor, 'digest' | 'size'>;

/**
 * Passes bytes on and checks them while they flow: never more than was said is given, and a stream that ends other than
 * its digest says ends in an error.
 * @param of the verb of the operation, for errors. Default: `oci.read`.
 * @throws IngotError `integrity`.
 */
export async function* checkedBlob(
  { digest, size }: BlobName,
  bytes: AsyncIterable<Uint8Array>,
  of = 'oci.read',
): AsyncGenerator<Uint8Array, void> {
  const digester = createOciDigester(splitDigest(digest).algorithm);
  let given = 0;
  for await (const piece of bytes) {
    given += piece.byteLength;
    if (given > size) throw otherBlob({ digest, size }, `it has more than the ${size} bytes it was said to have`, of);
    digester.update(piece);
    yield piece;
  }
  if (given < size) throw otherBlob({ digest, size }, `it ends after ${given} of ${size} bytes`, of);
  const found = digester.finish();
  if (found !== digest) throw otherBlob({ digest, size }, `its bytes are ${found}`, of);
}

/** Passes bytes on and hashes them while they flow. */
export async function* hashed(
  bytes: AsyncIterable<Uint8Array>,
  digester: OciDigester,
): AsyncGenerator<Uint8Array, void> {
  for await (const piece of bytes) {
    digester.update(piece);
    yield piece;
  }
}

/** The error of contents that are not what they are said to be. */
export function otherBlob({ digest, size }: BlobName, why: string, operation: string): IngotError {
  return new IngotError('integrity', `the blob ${digest} is not what it is said to be: ${why}`, {
    operation,
    details: { digest, sizeBytes: size },
  });
}

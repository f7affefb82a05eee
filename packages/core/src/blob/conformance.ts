/**
 * What every blob store must do, as a list of named cases that any test runner can run.
 *
 * @example
 * for (const { name, run } of BLOB_STORE_CASES) {
 *   test(name, async () => run(await freshStorage()));
 * }
 */

import type { BlobStoreCase } from './conformance/case.ts';
import { INTERRUPTION_CASES } from './conformance/interruption.ts';
import { LISTING_CASES } from './conformance/listing.ts';
import { READING_CASES } from './conformance/reading.ts';
import { WRITING_CASES } from './conformance/writing.ts';

export type { BlobStoreCase, BlobStoreSubject } from './conformance/case.ts';

/** All cases of the suite; each wants a fresh, empty storage. */
export const BLOB_STORE_CASES: readonly BlobStoreCase[] = [
  ...WRITING_CASES,
  ...READING_CASES,
  ...LISTING_CASES,
  ...INTERRUPTION_CASES,
];

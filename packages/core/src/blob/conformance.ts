/**
 * What every blob store must do, as a list of named cases that any test runner can run.
 *
 * @example
 * for (const { name, run } of BLOB_STORE_CASES) {
 *   test(name, async () => run(await freshStorage()));
 * }
 */

import type { BlobStoreCase } from './conformance/case.ts';
import type { BlobStoreFaultCase } from './conformance/fault-case.ts';
import { FAULT_CASES } from './conformance/faults.ts';
import { INTERRUPTION_CASES } from './conformance/interruption.ts';
import { LARGE_CASES } from './conformance/large.ts';
import { LISTING_CASES } from './conformance/listing.ts';
import { READING_CASES } from './conformance/reading.ts';
import { WRITING_CASES } from './conformance/writing.ts';

export type { BlobStoreCase, BlobStoreSubject } from './conformance/case.ts';
export type { BlobStoreFaultCase, BlobStoreFaultSubject, FaultyLine, LineFault } from './conformance/fault-case.ts';

/** All cases of the suite; each wants a fresh, empty storage. */
export const BLOB_STORE_CASES: readonly BlobStoreCase[] = [
  ...WRITING_CASES,
  ...READING_CASES,
  ...LISTING_CASES,
  ...INTERRUPTION_CASES,
  ...LARGE_CASES,
];

/**
 * Further cases of every store over a network: wrong accounts and places, storages that are away, lines that are slow,
 * stall or are cut. They say what one store without layers does, that is without retries.
 */
export const BLOB_STORE_FAULT_CASES: readonly BlobStoreFaultCase[] = FAULT_CASES;

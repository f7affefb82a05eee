/**
 * What every registry must do, as a list of named cases that any test runner can run.
 *
 * @example
 * for (const { name, run } of REGISTRY_CASES) {
 *   test(name, async () => run({ open: () => openLogRegistry({ blobs, actor: 'test' }) }));
 * }
 */

import { ALIAS_CASES } from './conformance/aliases.ts';
import type { RegistryCase } from './conformance/case.ts';
import { CHANGING_CASES } from './conformance/changing.ts';
import { CONDITION_CASES } from './conformance/conditions.ts';
import { GOVERNING_CASES } from './conformance/governing.ts';
import { PUBLISHING_CASES } from './conformance/publishing.ts';
import { RACING_CASES } from './conformance/racing.ts';
import { RESOLVING_CASES } from './conformance/resolving.ts';

export type { RegistryCase, RegistrySubject } from './conformance/case.ts';

/** All cases of the suite; each wants a fresh, empty storage. */
export const REGISTRY_CASES: readonly RegistryCase[] = [
  ...PUBLISHING_CASES,
  ...RESOLVING_CASES,
  ...ALIAS_CASES,
  ...CHANGING_CASES,
  ...CONDITION_CASES,
  ...GOVERNING_CASES,
  ...RACING_CASES,
];

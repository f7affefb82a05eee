import type { Slot } from './slot.ts';

/** A configured source and the versions it has to do with. */
export interface FollowedSource {
  /** As it was configured: `churn@production`. */
  readonly source: string;
  /** The version that answers for it. */
  slot: Slot;
  /** The version that is being loaded to take over. */
  target: Slot | undefined;
  /** The version that should have taken over and could not be loaded. */
  failed: Slot | undefined;
  /** ISO 8601 time since when the store has not answered. */
  staleSince: string | undefined;
  /** What was last logged about it, so that an outage is told once. */
  complaint: string | undefined;
  /** Why it stays on its version though a newer one is there, as it was logged last, so that it is told once. */
  staysBecause: string | undefined;
  /** Whether it has been ready once. */
  wasReady: boolean;
}

/** Says whether a source has anything to do with a version. */
export function refersTo({ slot, target, failed }: FollowedSource, version: Slot): boolean {
  return slot === version || target === version || failed === version;
}

import type { VersionResolver } from '@ingot/core/registry/registry';
import { lastKnownResolver } from './last-known-resolver.ts';
import { findLock } from './lock-file.ts';
import { lockedResolver } from './locked-resolver.ts';
import type { OpenedStore } from './open.ts';
import type { Settings } from './settings/settings.ts';

/** What resolving for use needs besides the settings. */
export interface ResolverHost {
  readonly now: () => Date;
  /** Where `ingot.lock` is looked for. */
  readonly cwd: string;
}

/**
 * How versions are resolved that are to be used: as the lock pins them, as the store says, or as it was last known.
 * @throws IngotError as {@link findLock} does.
 */
export async function openResolver(
  store: OpenedStore,
  settings: Settings,
  { now, cwd }: ResolverHost,
): Promise<VersionResolver> {
  const known = lastKnownResolver(store, { now, offline: settings.isOn('offline') });
  const lock = await findLock(settings, cwd);
  return lock === undefined ? known : lockedResolver(known, { lock, strict: settings.isOn('locked') });
}

import { hostname, userInfo } from 'node:os';
import type { SettingsHost } from './settings/settings.ts';

/** What settings depend on, from this process. */
export function settingsHost(): SettingsHost {
  return { env: process.env, cwd: process.cwd(), user: userName(), hostname: hostname() };
}

/** A container may run under a user id that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

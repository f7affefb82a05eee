import { hostname, userInfo } from 'node:os';
import type { SettingsHost } from './settings/settings.ts';

/** What settings depend on, from this process. */
export function settingsHost(): SettingsHost {
  keepLibrariesSilent();
  return { env: { ...process.env }, cwd: process.cwd(), user: userName(), hostname: hostname() };
}

/**
 * Puts storage variables into the process's environment, where the clouds' own clients look for them. What is set there
 * already stays. Programs that are started get the environment as it was.
 */
export function provide(variables: readonly { readonly name: string; readonly text: string }[]): void {
  for (const { name, text } of variables) if ((process.env[name] ?? '') === '') process.env[name] = text;
}

/** A container may run under a user id that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

/**
 * ONNX Runtime tells its makers how it is used unless it is told not to, and nothing here calls anybody whom the user did
 * not name. It looks when it is loaded. What the user has set stays.
 */
export function keepLibrariesSilent(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
}

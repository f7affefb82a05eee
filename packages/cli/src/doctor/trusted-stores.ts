import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject } from '@ingot/core/json';

/** A server may be replaced by another one behind the same address. */
const VALID_MS = 30 * 24 * 3_600_000;

/** Says whether a probe of the store from this machine found nothing wrong within the last 30 days. */
export async function isTrusted(remembered: string, now: Date): Promise<boolean> {
  try {
    const parsed: unknown = JSON.parse(await readFile(fileIn(remembered), 'utf8'));
    if (!isJsonObject(parsed) || parsed.format !== 1 || typeof parsed.probedAt !== 'string') return false;
    const age = now.getTime() - Date.parse(parsed.probedAt);
    return age >= 0 && age < VALID_MS;
  } catch {
    // Without a readable record the store is probed again.
    return false;
  }
}

/** Remembers that a probe found nothing wrong. */
export async function trust(remembered: string, now: Date): Promise<void> {
  const temporary = `${fileIn(remembered)}.${process.pid}`;
  try {
    await mkdir(remembered, { recursive: true, mode: 0o700 });
    await writeFile(temporary, `${JSON.stringify({ format: 1, probedAt: now.toISOString() })}\n`, { mode: 0o600 });
    await rename(temporary, fileIn(remembered));
  } catch {
    // A cache that cannot be written only costs the next probe.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** Forgets it, since a probe found something. */
export async function distrust(remembered: string): Promise<void> {
  await rm(fileIn(remembered), { force: true }).catch(() => undefined);
}

function fileIn(remembered: string): string {
  return join(remembered, 'probe.json');
}

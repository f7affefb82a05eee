import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isJsonObject } from '@ingot/core/json';

/** Names of models, each with its aliases. */
export type Names = Readonly<Record<string, readonly string[]>>;

/** What is known of a model that a shell may complete. */
interface NamedModel {
  readonly name: string;
  readonly aliases: Readonly<Record<string, number>>;
}

/** File of the names of a store, in the directory of what is remembered about it. */
export function namesFile(remembered: string): string {
  return join(remembered, 'names.json');
}

/** Keeps the names for the shell. A cache that cannot be written only makes completion slower. */
export function rememberNames(file: string, models: readonly NamedModel[]): void {
  const names = Object.fromEntries(models.map((model) => [model.name, Object.keys(model.aliases)]));
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(names), { mode: 0o600 });
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    rmSync(`${file}.${process.pid}`, { force: true });
  }
}

/** Drops the names after a change. */
export function forgetNames(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Only completion reads the file, and it refreshes an old one.
  }
}

/** Gives the remembered names, or undefined when there are none younger than `maxAgeMs`. */
export function recallNames(file: string, now: Date, maxAgeMs: number): Names | undefined {
  try {
    if (now.getTime() - statSync(file).mtimeMs > maxAgeMs) return undefined;
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!isJsonObject(parsed)) return undefined;
    return Object.fromEntries(Object.entries(parsed).map(([name, aliases]) => [name, texts(aliases)]));
  } catch {
    return undefined;
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

import { execFile } from 'node:child_process';
import { findInterpreter } from '@ingot/serve/environment/interpreter';
import type { Context } from './context.ts';
import { startedFrom } from './package-environment.ts';

const LIST = `import importlib.metadata as m, json, re
print(json.dumps({re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version for d in m.distributions() if d.metadata["Name"]}))`;

/** Python's installed distributions with their versions. */
export interface InstalledDistributions {
  readonly interpreter: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Asks the active Python interpreter what it has installed; undefined when there is no Python. Imports none of it. */
export async function installedDistributions({
  settings,
  env,
  signal,
}: Context): Promise<InstalledDistributions | undefined> {
  const python = settings.text('python') ?? (env.PYTHON || undefined);
  const found = await findInterpreter({
    python,
    startedFrom: startedFrom(env),
    environment: env,
    preferActive: true,
    signal,
  }).catch(() => undefined);
  if (found === undefined) return undefined;
  // -I: neither the working directory nor PYTHONPATH can bring a module along.
  const printed = await output(found.path, ['-I', '-c', LIST], env, signal);
  return { interpreter: found.path, versions: parseVersions(printed) };
}

function output(program: string, args: readonly string[], env: Context['env'], signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [...args], { env: { ...env }, signal }, (error, stdout) =>
      resolve(error === null ? stdout : '{}'),
    );
  });
}

function parseVersions(text: string): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(text);
    return Object.fromEntries(
      Object.entries(Object(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    // No pins then; the package says which names it needs all the same.
    return {};
  }
}

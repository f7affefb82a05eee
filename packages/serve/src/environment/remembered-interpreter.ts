import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, isJsonObject } from '@ingot/core/json';
import { installedPythons } from './installed-pythons.ts';
import { findInterpreter, type Interpreter, type InterpreterOptions } from './interpreter.ts';

/**
 * Finds an interpreter like {@link findInterpreter}, and remembers the answer: asking a PATH full of shims takes half a
 * second. It is asked again when the PATH, what is wanted, or the interpreter's file has changed.
 */
export async function rememberedInterpreter(directory: string, options: InterpreterOptions): Promise<Interpreter> {
  const { PATH, VIRTUAL_ENV, PYENV_VERSION } = options.environment;
  const { python, wanted, preferActive, startedFrom } = options;
  // A Python that was installed since is found: it changes what there is to choose from.
  const installed = await installedPythons(options);
  const asked = canonicalJson({
    PATH,
    VIRTUAL_ENV,
    PYENV_VERSION,
    python,
    wanted,
    preferActive,
    startedFrom,
    installed,
  });
  const file = join(directory, `${createHash('sha256').update(asked).digest('hex').slice(0, 32)}.json`);
  const remembered = await read(file);
  if (remembered !== undefined) return remembered;
  const found = await findInterpreter(options);
  await remember(file, found).catch(() => undefined); // where nothing can be written, it is looked for each time
  return found;
}

async function remember(file: string, found: Interpreter): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${canonicalJson({ ...found, executable: await stamp(found.path) })}\n`, { mode: 0o600 });
}

async function read(file: string): Promise<Interpreter | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined); // nothing remembered is the usual first case
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!isJsonObject(value)) return undefined;
    const { path, version, platform, executable } = value;
    if (typeof path !== 'string' || typeof version !== 'string' || typeof platform !== 'string') return undefined;
    return (await stamp(path)) === executable ? { path, version, platform } : undefined;
  } catch {
    return undefined; // a damaged or outdated note: the question is asked again
  }
}

/** Follows links, so that another Python behind the same name is noticed. */
async function stamp(path: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(path);
  return `${size}-${mtimeMs}-${ino}`;
}

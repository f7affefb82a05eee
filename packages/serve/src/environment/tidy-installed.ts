import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What installers write of themselves, which differs from one to the other and from one machine to the next. */
const OF_INSTALLERS = ['INSTALLER', 'REQUESTED', 'direct_url.json', 'uv_cache.json', 'uv_build.json'];
/** Programs start with the path of this machine's interpreter; the lock file is uv's own. */
const BESIDE_MODULES = ['bin', '.lock', '.gitignore', 'CACHEDIR.TAG'];

/**
 * Takes everything from a directory of installed modules that follows from the installer and not from the wheels: programs,
 * notes of who installed, bytecode; and brings each RECORD in line with what is left. Two installers give the same bytes then.
 */
export async function tidyInstalled(directory: string): Promise<void> {
  for (const name of BESIDE_MODULES) await rm(join(directory, name), { recursive: true, force: true });
  const names = await readdir(directory);
  for (const name of names.filter((each) => each.endsWith('.dist-info'))) {
    for (const note of OF_INSTALLERS) await rm(join(directory, name, note), { force: true });
    await tidyRecord(join(directory, name, 'RECORD'), name);
  }
  await withoutBytecode(directory);
}

/** Lines of a RECORD that speak of what is there, sorted. */
async function tidyRecord(path: string, owner: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined); // some wheels come without one
  if (text === undefined) return;
  const gone = OF_INSTALLERS.map((note) => `${owner}/${note}`);
  const isKept = (line: string): boolean => {
    const file = (line.startsWith('"') ? line.slice(1).split('"', 1)[0] : line.split(',', 1)[0]) ?? '';
    return line !== '' && !/^(?:\.\.|\/|bin\/)/.test(file) && !file.includes('__pycache__') && !gone.includes(file);
  };
  const lines = [...new Set(text.split(/\r?\n/).filter(isKept))].sort();
  await writeFile(path, `${lines.join('\n')}\n`);
}

async function withoutBytecode(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    if (entry.name === '__pycache__') await rm(path, { recursive: true });
    else await withoutBytecode(path);
  }
}

import { readFileSync } from 'node:fs';

/** The version of this command line; a bundle's files lie at several depths below its package.json. */
export function toolVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const version = versionIn(new URL(path, import.meta.url));
    if (version !== undefined) return version;
  }
  return 'unknown';
}

function versionIn(file: URL): string | undefined {
  try {
    return /"version":\s*"([^"]+)"/.exec(readFileSync(file, 'utf8'))?.[1];
  } catch {
    // Not at this depth.
    return undefined;
  }
}

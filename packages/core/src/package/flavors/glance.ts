import { open } from 'node:fs/promises';
import type { JsonValue } from '../../json.ts';
import { json } from '../decode.ts';
import type { Metadata } from '../package.ts';
import type { SourceFile } from '../source-file.ts';
import type { Glance } from './flavor.ts';
import { sniffPickles } from './pickles.ts';

const MAX_READ = 16 * 1024 * 1024;
const MAX_JSON = 4 * 1024 * 1024;

/** Looks at a package: its files by path, its pickles, and bounded reads of the rest. */
export async function glanceAt(
  files: readonly SourceFile[],
  artifacts: readonly SourceFile[],
  metadata: Metadata | undefined,
): Promise<Glance> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return {
    files,
    artifacts,
    pickles: await sniffPickles(artifacts, readPart),
    ...(metadata === undefined ? {} : { metadata }),
    file: (path) => byPath.get(path),
    read: readPart,
    json: async (path) => {
      const file = byPath.get(path);
      return file === undefined || file.sizeBytes > MAX_JSON ? undefined : parse(await readPart(file, MAX_JSON));
    },
  };
}

/** Reads part of a file; fewer bytes where it ends. */
async function readPart(file: SourceFile, sizeBytes: number, at = 0): Promise<Buffer> {
  const handle = await open(file.absolute, 'r');
  try {
    const start = at < 0 ? Math.max(0, file.sizeBytes + at) : at;
    const buffer = Buffer.alloc(Math.max(0, Math.min(sizeBytes, MAX_READ, file.sizeBytes - start)));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function parse(bytes: Buffer): JsonValue | undefined {
  try {
    return json(JSON.parse(bytes.toString('utf8')), 'the file');
  } catch {
    // A file that is called .json and is none says nothing; it is stored as it is.
    return undefined;
  }
}

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../../../scripts/lib/servers/tools.mjs';

/** Programs of others that read images. */
export type ImageTool = 'crane' | 'skopeo' | 'umoci';

/** Runs a program of others over images and gives what it prints; rejects with its words when it fails. */
export async function imageTool(name: ImageTool, args: readonly string[], cwd: string): Promise<string> {
  const place = await testServer(name);
  const isUnpacked = name !== 'crane';
  const env = isUnpacked ? { ...process.env, LD_LIBRARY_PATH: librariesOf(place) } : process.env;
  const program = isUnpacked ? join(place, 'usr/bin', name) : place;
  return (await promisify(execFile)(program, [...args], { cwd, env })).stdout;
}

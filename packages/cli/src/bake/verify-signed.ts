import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';

/** Where Debian's keys lie, as its package `debian-archive-keyring` has them. */
const KEYRINGS = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];

/**
 * Gives the text of a signed release, checked with Debian's keys by `gpgv`, as `apt` does.
 * @throws IngotError `refused` when nobody of them signed it; `usage` where it cannot be checked on this machine.
 */
export async function verifySigned(
  signed: Uint8Array,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  const keyring = KEYRINGS.find((path) => existsSync(path));
  if (keyring === undefined) throw cannotCheck("Debian's keys are not on this machine");
  const directory = await mkdtemp(join(tmpdir(), 'ingot-release-'));
  try {
    const file = join(directory, 'InRelease');
    await writeFile(file, signed);
    const { code, text } = await gpgv(['--keyring', keyring, '--output', '-', file], signal);
    if (code === 0 && text !== '') return text;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  throw new IngotError('refused', 'the release of the Debian archive is not signed with a key of Debian', {
    operation: 'bake',
    hint: 'another mirror, or a newer debian-archive-keyring on this machine',
  });
}

function gpgv(
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('gpgv', args, { stdio: ['ignore', 'pipe', 'ignore'], ...(signal && { signal }) });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    child.on('error', (cause) =>
      reject(systemErrorCode(cause) === 'ENOENT' ? cannotCheck('there is no gpgv on this machine') : cause),
    );
    child.on('close', (code) => resolve({ code, text }));
  });
}

function cannotCheck(why: string): IngotError {
  return new IngotError('usage', `the signature of a Debian release cannot be checked: ${why}`, {
    operation: 'bake',
    hint: 'apt-get install gpgv debian-archive-keyring   or another --base: python:3.11-slim, rootfs:FILE.tar',
  });
}

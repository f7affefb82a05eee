import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { IngotError } from '../../errors.ts';
import { unpackXz } from '../../package/foreign/xz.ts';
import type { TarItem } from '../../package/foreign/tar-read.ts';
import { gunzipped, walkImageTar } from '../base-tar-walk.ts';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;

/**
 * Walks what a `.deb` installs; its scripts are not read. Source: deb(5).
 * @throws IngotError `invalid-package` for what is none, is damaged, or leads out of the root.
 */
export async function* walkDeb(file: string, what: string): AsyncGenerator<TarItem, void> {
  const { name, start, sizeBytes } = await dataOf(file, what);
  const packed = createReadStream(file, { start, end: start + sizeBytes - 1, highWaterMark: 1024 * 1024 });
  yield* walkImageTar(unpacked(name, packed, what), what);
}

function unpacked(name: string, packed: AsyncIterable<Uint8Array>, what: string): AsyncIterable<Uint8Array> {
  if (name === 'data.tar.xz') return unpackXz(packed, what);
  if (name === 'data.tar.gz') return gunzipped(packed, what);
  if (name === 'data.tar') return packed;
  throw broken(what, `it is compressed as ${name}, which is not read here`);
}

interface Member {
  readonly name: string;
  readonly start: number;
  readonly sizeBytes: number;
}

async function dataOf(file: string, what: string): Promise<Member> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const take = async (at: number, length: number): Promise<string> => {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, at);
    if (bytesRead < length) throw broken(what, 'it ends in the middle');
    return bytes.toString('latin1');
  };
  if ((await take(0, MAGIC.length)) !== MAGIC) throw broken(what, 'it is no Debian package');
  for (let at = MAGIC.length; at < size; ) {
    const header = await take(at, HEADER_BYTES);
    const name = header.slice(0, 16).trim().replace(/\/$/, '');
    const sizeBytes = Number(header.slice(48, 58).trim());
    if (!header.endsWith('`\n') || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
      throw broken(what, 'a member of it has no size');
    const start = at + HEADER_BYTES;
    if (start + sizeBytes > size) throw broken(what, 'it ends in the middle');
    if (name.startsWith('data.tar')) return { name, start, sizeBytes };
    at = start + sizeBytes + (sizeBytes % 2);
  }
  throw broken(what, 'it installs nothing');
}

function broken(what: string, why: string): IngotError {
  return new IngotError('invalid-package', `${what} cannot be unpacked: ${why}`, { operation: 'bake' });
}

import { createDigester, type Digest } from '../digest.ts';
import { TAR_END, type TarEntry, tarHeader, tarPadding } from './tar.ts';

/** Computes the digest of a tar that is never made, from its files one after another. */
export interface TarDigester {
  /** Begins the next file; its bytes follow, all of them. */
  begin(entry: TarEntry): void;
  update(bytes: Uint8Array): void;
  finish(): Digest;
}

const GATHERED_BYTES = 64 * 1024;

/** Starts the digest of a tar. Headers and small files are gathered: hashing them one by one takes three times as long. */
export function createTarDigester(): TarDigester {
  const digester = createDigester();
  const gathered = Buffer.allocUnsafeSlow(GATHERED_BYTES);
  let used = 0;
  let before: TarEntry | undefined;
  const flush = (): void => {
    digester.update(gathered.subarray(0, used));
    used = 0;
  };
  const update = (bytes: Uint8Array): void => {
    if (used + bytes.byteLength > GATHERED_BYTES) flush();
    if (bytes.byteLength >= GATHERED_BYTES) return void digester.update(bytes);
    gathered.set(bytes, used);
    used += bytes.byteLength;
  };
  const pad = (): void => {
    if (before !== undefined) update(tarPadding(before.sizeBytes));
  };
  return {
    begin: (entry) => {
      pad();
      update(tarHeader(entry));
      before = entry;
    },
    update,
    finish: () => {
      pad();
      update(TAR_END);
      flush();
      return digester.finish();
    },
  };
}

import { open } from 'node:fs/promises';

/**
 * Says whether a file ends where its format says it does, as far as that is cheap to see: pickles, zip archives (also
 * `.pt`, `.npz`, `.keras`) and safetensors. Other formats count as whole. Nothing is loaded.
 */
export async function isWholeFile(path: string, sizeBytes: number): Promise<boolean> {
  const file = await open(path, 'r');
  const read = async (position: number, length: number): Promise<Buffer> => {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, sizeBytes - position)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    return buffer.subarray(0, bytesRead);
  };
  try {
    const head = await read(0, 16);
    if (/\.safetensors$/i.test(path)) return await isWholeSafetensors(head, sizeBytes, read);
    if (head.length >= 4 && head.readUInt32LE(0) === ZIP_ENTRY) {
      const tail = await read(Math.max(0, sizeBytes - MAX_ZIP_TAIL), MAX_ZIP_TAIL);
      return tail.lastIndexOf(ZIP_END) >= 0;
    }
    if (/\.(?:pkl|pickle|joblib)$/i.test(path) && head[0] === PICKLE && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5)
      return (await read(sizeBytes - 1, 1))[0] === STOP;
    return !(sizeBytes === 0 && MODEL_FILE.test(path));
  } finally {
    await file.close();
  }
}

const PICKLE = 0x80;
const STOP = 0x2e;
const ZIP_ENTRY = 0x04034b50;
const ZIP_END = Buffer.from([0x50, 0x4b, 0x05, 0x06]);
/** The end record and the longest comment that may follow it. */
const MAX_ZIP_TAIL = 22 + 0xffff;
const MAX_HEADER = 100 * 1024 * 1024;
const MODEL_FILE = /\.(?:pkl|pickle|joblib|onnx|pt|pth|h5|keras|npz|safetensors|bin)$/i;

/** The header says where each tensor ends; the file must reach the last. */
async function isWholeSafetensors(
  head: Buffer,
  sizeBytes: number,
  read: (position: number, length: number) => Promise<Buffer>,
): Promise<boolean> {
  if (head.length < 8) return false;
  const length = Number(head.readBigUInt64LE(0));
  if (length > MAX_HEADER || 8 + length > sizeBytes) return false;
  try {
    const header: unknown = JSON.parse((await read(8, length)).toString('utf8'));
    const ends = [...JSON.stringify(header).matchAll(/"data_offsets":\[\d+,(\d+)\]/g)].map(([, end]) => Number(end));
    return 8 + length + Math.max(0, ...ends) <= sizeBytes;
  } catch {
    // A header that is no JSON is for the runtime to complain about, not for a wait.
    return true;
  }
}

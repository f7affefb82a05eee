/** Copies a file and computes its SHA-256, reading it once, and makes the copy durable: `copy-and-hash.mjs FROM TO`. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const [from, to] = process.argv.slice(2);
const hash = createHash('sha256');
const copy = await open(to, 'w');
for await (const piece of createReadStream(from, { highWaterMark: 2 ** 20 })) {
  hash.update(piece);
  await copy.write(piece);
}
await copy.sync();
await copy.close();
console.log(hash.digest('hex'));

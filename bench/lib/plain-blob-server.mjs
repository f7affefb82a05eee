/**
 * The least that a server of blobs does on Node.js: it hashes once what comes, writes it to a file and flushes that; it
 * reads the file and sends it. `plain-blob-server.mjs PORT DIRECTORY`. One upload at a time.
 */
import { createHash } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const BLOCK_BYTES = 2 ** 20;
const [port, directory] = process.argv.slice(2);
let upload;

/** Gathers what comes in two blocks in turn: while the one is written, the other is filled and hashed. */
async function take(request, { file, hash }) {
  const blocks = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)];
  let [turn, filled, writing] = [0, 0, Promise.resolve()];
  const flush = async () => {
    const bytes = blocks[turn].subarray(0, filled);
    hash.update(bytes);
    await writing;
    writing = file.write(bytes);
    [turn, filled] = [1 - turn, 0];
  };
  for await (const piece of request) {
    for (let rest = piece; rest.length > 0; ) {
      const count = Math.min(rest.length, BLOCK_BYTES - filled);
      blocks[turn].set(rest.subarray(0, count), filled);
      filled += count;
      rest = rest.subarray(count);
      if (filled === BLOCK_BYTES) await flush();
    }
  }
  if (filled > 0) await flush();
  await writing;
}

/** Sends a file through two blocks: while the one is sent, the other is filled. */
async function send(digest, response) {
  const source = await open(join(directory, digest));
  try {
    const { size } = await source.stat();
    response.writeHead(200, { 'content-length': size });
    const blocks = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)];
    const read = (at, turn) => source.read(blocks[turn], 0, BLOCK_BYTES, at);
    let [turn, next] = [0, read(0, 0)];
    for (let at = 0; at < size; turn = 1 - turn) {
      const { bytesRead } = await next;
      const bytes = blocks[turn].subarray(0, bytesRead);
      at += bytesRead;
      next = read(at, 1 - turn);
      await new Promise((resolve) => response.write(bytes, resolve));
    }
    await next;
    response.end();
  } finally {
    await source.close();
  }
}

const answers = {
  POST: async (_request, response) => {
    upload = { file: await open(join(directory, 'upload'), 'w'), hash: createHash('sha256') };
    response.writeHead(202, { location: '/upload' }).end();
  },
  PATCH: async (request, response) => {
    await take(request, upload);
    response.writeHead(202, { location: '/upload' }).end();
  },
  PUT: async (request, response) => {
    const digest = new URL(request.url, 'http://here').searchParams.get('digest');
    await upload.file.sync();
    await upload.file.close();
    if (`sha256:${upload.hash.digest('hex')}` !== digest) return response.writeHead(400).end();
    await rename(join(directory, 'upload'), join(directory, digest));
    response.writeHead(201).end();
  },
  GET: async (request, response) => {
    const digest = request.url.split('/').at(-1);
    if (digest === '') response.end('{}');
    else await send(digest, response);
  },
};

createServer((request, response) => {
  answers[request.method](request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
}).listen(Number(port), '127.0.0.1');

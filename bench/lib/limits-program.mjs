/**
 * Measures what this machine can do, in MiB a second, with nothing around it: `node limits-program.mjs DIRECTORY MEBIBYTES`.
 * Needs the built libraries. `hashing` is the three kinds of work of a push at once, each in a thread of its own: cutting,
 * SHA-256 of the pieces, SHA-256 of the whole.
 */
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { CHUNKER, createChunker } from '@ingot/core/content/chunker';
import { createGearMemory, createWasmScan, GEAR_BYTES } from '@ingot/core/content/chunker-wasm';

const MEBIBYTE = 2 ** 20;
const PAGE = 64 * 1024;
const BLOCK = 64 * MEBIBYTE;
const BLOCKS = 4;
const ROUNDS = 3;
const PIECE = 64 * 1024;

const work = {
  cutting(shared) {
    const chunker = createChunker(createWasmScan(shared), CHUNKER);
    let cuts = 0;
    chunker.begin();
    for (let at = GEAR_BYTES; at < GEAR_BYTES + BLOCK; cuts++) {
      at = chunker.next(at, GEAR_BYTES + BLOCK);
      if (at < 0) break;
    }
    return cuts;
  },
  pieces(_shared, bytes) {
    for (let at = 0; at < bytes.length; at += PIECE) createHash('sha256').update(bytes.subarray(at, at + PIECE)).digest();
  },
  whole(_shared, bytes) {
    createHash('sha256').update(bytes).digest();
  },
};

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const blockOf = (shared) => new Uint8Array(shared.memory.buffer, GEAR_BYTES, BLOCK);

if (isMainThread) await main(process.argv[2], Number(process.argv[3]));
else await answer();

async function answer() {
  const { shared, kind } = workerData;
  const bytes = blockOf(shared);
  parentPort.on('message', () => {
    for (let block = 0; block < BLOCKS; block++) work[kind](shared, bytes);
    parentPort.postMessage('done');
  });
}

async function main(directory, mebibytes) {
  const shared = createGearMemory((BLOCK + PAGE) / PAGE);
  const bytes = blockOf(shared);
  const filled = Buffer.alloc(MEBIBYTE);
  for (let at = 0; at < BLOCK; at += MEBIBYTE) bytes.set(randomFillSync(filled), at);
  const threads = Object.keys(work).map((kind) => new Worker(new URL(import.meta.url), { workerData: { shared, kind } }));
  const together = (some) => Promise.all(some.map((thread) => new Promise((resolve) => {
    thread.once('message', resolve);
    thread.postMessage('go');
  })));
  await together(threads);
  const rate = async (some) => {
    const started = performance.now();
    await together(some);
    return (BLOCKS * BLOCK) / MEBIBYTE / ((performance.now() - started) / 1000);
  };
  const rates = { cutting: [], sha256: [], hashing: [], writing: [], copying: [] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.cutting.push(await rate([threads[0]]));
    rates.sha256.push(await rate([threads[2]]));
    rates.hashing.push(await rate(threads));
    rates.writing.push(mebibytes / seconds(() => writeAndFlush(join(directory, 'written'), mebibytes, bytes)));
    rates.copying.push(mebibytes / seconds(() => copy(join(directory, 'written'), join(directory, 'copied'))));
  }
  for (const name of ['written', 'copied']) rmSync(join(directory, name));
  await Promise.all(threads.map((thread) => thread.terminate()));
  console.log(JSON.stringify(Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, median(values)]))));
}

function seconds(action) {
  const started = performance.now();
  action();
  return (performance.now() - started) / 1000;
}

function writeAndFlush(path, mebibytes, bytes) {
  const file = openSync(path, 'w');
  for (let index = 0; index < mebibytes; index++) {
    const at = (index % (BLOCK / MEBIBYTE)) * MEBIBYTE;
    writeSync(file, bytes.subarray(at, at + MEBIBYTE));
  }
  fsyncSync(file);
  closeSync(file);
}

/** As `cp` does it: 256 KiB at a time, not flushed. */
function copy(from, to) {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'w')];
  const buffer = Buffer.allocUnsafe(256 * 1024);
  for (let length = readSync(source, buffer); length > 0; length = readSync(source, buffer)) writeSync(target, buffer, 0, length);
  for (const file of [source, target]) closeSync(file);
}

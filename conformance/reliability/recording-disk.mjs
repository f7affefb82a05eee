/**
 * Preloaded into a command (`node --import`): writes every change of a file below RECORD_UNDER to RECORD_TO, one JSON line
 * each, in the order in which they were finished. A flush says how many changes were finished when it began: those are
 * the ones that it makes durable. `ack` is the moment at which the command says that all is done.
 */

import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

// What is imported by name becomes what records below.
const { closeSync, openSync, writeSync } = fs;
const { RECORD_UNDER = '', RECORD_TO = '' } = process.env;
const log = isMainThread ? openSync(RECORD_TO, 'w') : undefined;
let count = 0;

function record(change) {
  if (log === undefined) return;
  count += 1;
  writeSync(log, `${JSON.stringify(change)}\n`);
}

const isOurs = (path) => typeof path === 'string' && path.startsWith(RECORD_UNDER);

for (const name of ['mkdir', 'unlink', 'rmdir']) {
  const real = promises[name];
  promises[name] = async (path, options) => {
    const result = await real(path, options);
    if (isOurs(path)) record({ op: name, path });
    if (name === 'mkdir' && options?.recursive) throw new Error(`the recorder knows no recursive mkdir: ${path}`);
    return result;
  };
}

for (const name of ['link', 'rename']) {
  const real = promises[name];
  promises[name] = async (from, to) => {
    await real(from, to);
    if (isOurs(to)) record({ op: name, from, to });
  };
}

const { rm, readdir, unlink, rmdir, lstat } = promises;
promises.rm = async (path, options) => {
  if (!isOurs(path)) return await rm(path, options);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return await rm(path, options);
  if (!found.isDirectory()) return await unlink(path);
  for (const name of await readdir(path)) await promises.rm(join(path, name), options);
  return await rmdir(path);
};

const writeFile = promises.writeFile;
promises.writeFile = async (path, content, options) => {
  await writeFile(path, content, options);
  if (!isOurs(path)) return;
  record({ op: 'create', path });
  record({ op: 'write', path, at: 0, data: Buffer.from(content).toString('base64') });
};

const open = promises.open;
promises.open = async (path, flags = 'r', ...rest) => {
  const handle = await open(path, flags, ...rest);
  if (!isOurs(path)) return handle;
  if (/^[aw]/.test(String(flags))) record({ op: 'create', path });
  let position = 0;
  const write = handle.write.bind(handle);
  handle.write = async (bytes, from = 0, length = bytes.byteLength - from, place = null) => {
    const result = await write(bytes, from, length, place);
    const data = Buffer.from(bytes.buffer, bytes.byteOffset + from, result.bytesWritten).toString('base64');
    record({ op: 'write', path, at: place ?? position, data });
    if (place === null) position += result.bytesWritten;
    return result;
  };
  handle.writeFile = async (content) => {
    const bytes = Buffer.from(content);
    for (let done = 0; done < bytes.byteLength; ) done += (await handle.write(bytes, done)).bytesWritten;
  };
  for (const name of ['sync', 'datasync']) {
    const real = handle[name].bind(handle);
    handle[name] = async () => {
      const covers = count;
      await real();
      record({ op: 'sync', path, covers });
    };
  }
  return handle;
};

/** Files and directories that are open by their number: their path, and where the next write goes. */
const numbered = new Map();

const openNumbered = fs.open;
fs.open = (path, flags, ...rest) => {
  const done = rest.pop();
  openNumbered(path, flags, ...rest, (error, descriptor) => {
    if (error === null && isOurs(path)) {
      numbered.set(descriptor, { path, position: 0 });
      if (/^[aw]/.test(String(flags))) record({ op: 'create', path });
    }
    done(error, descriptor);
  });
};

function recordWritten(descriptor, bytes, from, bytesWritten) {
  const file = numbered.get(descriptor);
  if (file === undefined) return;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset + from, bytesWritten).toString('base64');
  record({ op: 'write', path: file.path, at: file.position, data });
  file.position += bytesWritten;
}

fs.writeSync = (descriptor, bytes, from, ...rest) => {
  const bytesWritten = writeSync(descriptor, bytes, from, ...rest);
  recordWritten(descriptor, bytes, from, bytesWritten);
  return bytesWritten;
};

const write = fs.write;
fs.write = (descriptor, bytes, from, ...rest) => {
  const done = rest.pop();
  write(descriptor, bytes, from, ...rest, (error, bytesWritten) => {
    if (error === null) recordWritten(descriptor, bytes, from, bytesWritten);
    done(error, bytesWritten);
  });
};

for (const name of ['fsync', 'fdatasync']) {
  const real = fs[name];
  fs[name] = (descriptor, done) => {
    const covers = count;
    real(descriptor, (error) => {
      const file = numbered.get(descriptor);
      if (error === null && file !== undefined) record({ op: 'sync', path: file.path, covers });
      done(error);
    });
  };
}

const close = fs.close;
fs.close = (descriptor, ...rest) => {
  numbered.delete(descriptor);
  close(descriptor, ...rest);
};
fs.closeSync = (descriptor) => {
  numbered.delete(descriptor);
  closeSync(descriptor);
};

const say = process.stdout.write.bind(process.stdout);
process.stdout.write = (...given) => {
  record({ op: 'ack' });
  return say(...given);
};

process.on('exit', () => {
  if (log !== undefined) closeSync(log);
});

syncBuiltinESMExports();

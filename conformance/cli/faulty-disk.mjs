/**
 * Preloaded into a command (`node --import`): counts the steps that change the file system below FAULT_UNDER, and at step
 * FAULT_AT ends the process as `kill -9` would, or fails that step with the system error that FAULT names; with FAULT_LASTS
 * all later steps fail too. FAULT=short writes half of what that step is given, as a system may. FAULT=EMFILE and EIO
 * count reading steps as well. Every step is a line of FAULT_LOG.
 */

import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { appendFileSync } = fs;
const { FAULT = 'kill', FAULT_AT = '0', FAULT_UNDER = '', FAULT_LOG, FAULT_LASTS } = process.env;
const READS_TOO = ['EMFILE', 'EIO'].includes(FAULT);
let steps = 0;

/** Meets the fault if it is this step's turn; says whether a write is to be short. */
function step(operation, path) {
  if (typeof path !== 'string' || !path.startsWith(FAULT_UNDER)) return false;
  steps += 1;
  if (FAULT_LOG) appendFileSync(FAULT_LOG, `${operation} ${path}\n`);
  if (steps < Number(FAULT_AT) || (steps > Number(FAULT_AT) && !FAULT_LASTS)) return false;
  if (FAULT === 'kill') process.kill(process.pid, 'SIGKILL');
  if (FAULT === 'short') return true;
  throw Object.assign(new Error(`${FAULT}: injected, ${operation} '${path}'`), {
    code: FAULT,
    syscall: operation,
    path,
  });
}

for (const name of [
  'mkdir',
  'unlink',
  'rmdir',
  'rm',
  'writeFile',
  'utimes',
  'chmod',
  ...(READS_TOO ? ['readFile', 'readdir'] : []),
]) {
  const real = promises[name];
  promises[name] = async (path, ...rest) => {
    step(name, path);
    return await real(path, ...rest);
  };
}

for (const name of ['link', 'rename']) {
  const real = promises[name];
  promises[name] = async (from, to) => {
    step(name, to);
    return await real(from, to);
  };
}

const open = promises.open;
promises.open = async (path, flags, ...rest) => {
  if (READS_TOO || (flags !== undefined && flags !== 'r')) step('open', path);
  const handle = await open(path, flags, ...rest);
  const write = handle.write.bind(handle);
  handle.write = async (bytes, from = 0, length = bytes.byteLength - from, ...given) => {
    const short = step('write', path) && length > 1;
    return await write(bytes, from, short ? length >> 1 : length, ...given);
  };
  for (const name of ['writev', 'sync', 'datasync', 'chmod', ...(READS_TOO ? ['read'] : [])]) {
    const real = handle[name].bind(handle);
    handle[name] = async (...given) => {
      step(name, path);
      return await real(...given);
    };
  }
  return handle;
};

/** The paths of files and directories that are open by their number. */
const numbered = new Map();

/** Makes a call with a callback meet its fault where any other failure of it is told: in the callback. */
function stepped(name, operation, pathOf, given = (rest) => rest) {
  const real = fs[name];
  fs[name] = (...rest) => {
    const done = rest.pop();
    try {
      const short = step(operation, pathOf(rest));
      real(...given(rest, short), done);
    } catch (error) {
      setImmediate(done, error);
    }
  };
}

const openNumbered = fs.open;
fs.open = (path, flags, ...rest) => {
  const done = rest.pop();
  try {
    if (READS_TOO || /^[aw]/.test(String(flags))) step('open', path);
  } catch (error) {
    setImmediate(done, error);
    return;
  }
  openNumbered(path, flags, ...rest, (error, descriptor) => {
    if (error === null) numbered.set(descriptor, path);
    done(error, descriptor);
  });
};

const pathOf = ([descriptor]) => numbered.get(descriptor);
const halved = ([descriptor, bytes, from = 0, length = bytes.byteLength - from, ...rest], short) => [
  descriptor,
  bytes,
  from,
  short && length > 1 ? length >> 1 : length,
  ...rest,
];
stepped('write', 'write', pathOf, halved);
stepped('fsync', 'sync', pathOf);
stepped('fdatasync', 'datasync', pathOf);

const { writeSync } = fs;
fs.writeSync = (...given) =>
  numbered.has(given[0]) ? writeSync(...halved(given, step('write', pathOf(given)))) : writeSync(...given);

syncBuiltinESMExports();

/**
 * Preloaded into a command (`node --import`): counts the steps that change the file system below FAULT_UNDER, and at step
 * FAULT_AT ends the process as `kill -9` would, or fails that step with the system error that FAULT names.
 */

import { appendFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { FAULT = 'kill', FAULT_AT = '0', FAULT_UNDER = '', FAULT_LOG } = process.env;
let steps = 0;

function step(operation, path) {
  if (typeof path !== 'string' || !path.startsWith(FAULT_UNDER)) return;
  steps += 1;
  if (FAULT_LOG) appendFileSync(FAULT_LOG, `${operation}\n`);
  if (steps !== Number(FAULT_AT)) return;
  if (FAULT === 'kill') process.kill(process.pid, 'SIGKILL');
  throw Object.assign(new Error(`${FAULT}: injected, ${operation} '${path}'`), {
    code: FAULT,
    syscall: operation,
    path,
  });
}

for (const name of ['mkdir', 'unlink', 'rmdir', 'rm', 'writeFile', 'utimes', 'chmod']) {
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
  if (flags !== undefined && flags !== 'r') step('open', path);
  const handle = await open(path, flags, ...rest);
  for (const name of ['write', 'writev', 'sync', 'datasync', 'chmod']) {
    const real = handle[name].bind(handle);
    handle[name] = async (...given) => {
      step(name, path);
      return await real(...given);
    };
  }
  return handle;
};

syncBuiltinESMExports();

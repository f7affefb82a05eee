/** Things made once for a clone and kept in `.cache/servers`: whoever comes first makes them, the others wait. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inRoot } from '../paths.mjs';

const READY = '.ready';
const WAIT_MS = 200;

/** Where test servers lie. */
export const SERVERS = inRoot('.cache/servers');

/**
 * Gives the directory of what `make(directory)` made under `name`, making it unless it is whole. Of several processes
 * one makes it while the others wait; what a killed process left half-made is made again.
 */
export async function cached(name, make, { root = SERVERS } = {}) {
  const directory = join(root, name);
  if (isReady(directory)) return directory;
  mkdirSync(root, { recursive: true });
  const release = await lock(`${directory}.lock`, () => isReady(directory));
  if (release === undefined) return directory;
  try {
    if (isReady(directory)) return directory;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    await make(directory);
    writeFileSync(join(directory, READY), '');
    return directory;
  } finally {
    release();
  }
}

/** Whether `name` was made. */
export const isCached = (name, { root = SERVERS } = {}) => isReady(join(root, name));

function isReady(directory) {
  return statSync(join(directory, READY), { throwIfNoEntry: false }) !== undefined;
}

/** Takes the lock and gives what releases it; undefined as soon as `isDone`, as there is nothing left to do then. */
async function lock(path, isDone) {
  for (;;) {
    if (isDone()) return undefined;
    if (tryLock(path)) return () => rmSync(path, { recursive: true, force: true });
    const owner = ownerOf(path);
    if (owner !== undefined && !isAlive(owner)) breakLock(path, owner);
    else await sleep(WAIT_MS);
  }
}

// A directory that is renamed into place with its owner in it is never seen without one.
function tryLock(path) {
  const own = `${path}.${process.pid}`;
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'pid'), String(process.pid));
  try {
    renameSync(own, path);
    return true;
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) throw error;
    rmSync(own, { recursive: true, force: true });
    return false;
  }
}

function ownerOf(path) {
  try {
    return Number(readFileSync(join(path, 'pid'), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// Whoever moves the dead owner's lock away removes it; a lock that is not the dead owner's is put back.
function breakLock(path, owner) {
  const aside = `${path}.dead-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (ownerOf(aside) === owner) rmSync(aside, { recursive: true, force: true });
  else renameSync(aside, path);
}

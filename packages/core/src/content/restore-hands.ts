import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import {
  type HandAnswer,
  type HandCommand,
  type HandCopy,
  type HandFile,
  type HandResult,
  type HandWrite,
  handsProgram,
} from './restore-hands-program.ts';

/** Hashes and writes for a restore: on threads of their own, or at once where that is not worth it. */
export interface Hands extends AsyncDisposable {
  /** Goes on with a running hash over bytes of an open file. Calls with one id are carried out in order. */
  hash(id: number, fd: number, from: number, to: number): Promise<void>;
  /**
   * Copies bytes of an open file to another one, and says how many there were. Those that the running hash of `id` waits
   * for are hashed on the way where that is possible.
   */
  carry(id: number, copy: CarryCopy): Promise<number>;
  /** Ends a running hash; hex. */
  digest(id: number): Promise<string>;
  /** Hashes ranges of an open file, each on its own; hex. */
  ranges(fd: number, ranges: readonly (readonly [from: number, to: number])[]): Promise<readonly string[]>;
  /** Makes files from a buffer, best of memory that threads share. Files with wrong bytes are not made. */
  write(bytes: Uint8Array, files: readonly HandWrite[]): Promise<readonly HandResult[]>;
  /** Makes files from local ones. Files with wrong bytes are not made. */
  copy(files: readonly HandCopy[]): Promise<readonly HandResult[]>;
  /** Says which files stand and are right; wrong ones are removed. */
  check(files: readonly HandFile[]): Promise<readonly HandResult[]>;
}

/** What is copied from one open file to another. */
export interface CarryCopy {
  readonly source: number;
  readonly start: number;
  readonly fd: number;
  readonly at: number;
  readonly length: number;
}

/** Opens hands: so many threads, or none at all, which does everything at once in this one. */
export function openHands(threads: number): Hands {
  const hands = threads === 0 ? [directHand()] : Array.from({ length: threads }, threadHand);
  const idlest = (): Hand => hands.reduce((best, hand) => (hand.load < best.load ? hand : best));
  const owners = new Map<number, Hand>();
  const owner = (id: number): Hand => {
    const known = owners.get(id) ?? idlest();
    owners.set(id, known);
    return known;
  };
  return {
    hash: async (id, fd, from, to) => void (await owner(id).tell({ do: 'hash', id, fd, from, to })),
    carry: async (id, copy) => {
      const hand = idlest();
      const hashes = owner(id) === hand;
      return Number(await hand.tell({ do: 'carry', ...copy, ...(hashes && { id }) }));
    },
    digest: async (id) => {
      const answer = await owner(id).tell({ do: 'digest', id });
      owners.delete(id);
      return String(answer);
    },
    ranges: async (fd, ranges) => texts(await idlest().tell({ do: 'ranges', fd, ranges })),
    write: async (bytes, files) => results(await idlest().tell({ do: 'write', bytes, files })),
    copy: async (files) => results(await idlest().tell({ do: 'copy', files })),
    check: async (files) => results(await idlest().tell({ do: 'check', files })),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(hands.map((hand) => hand.stop()));
    },
  };
}

function texts(answer: HandAnswer): readonly string[] {
  return Array.isArray(answer) ? answer.filter((each) => typeof each === 'string') : [];
}

function results(answer: HandAnswer): readonly HandResult[] {
  return Array.isArray(answer) ? answer.filter((each) => typeof each === 'object') : [];
}

interface Hand {
  /** What it has yet to do, in bytes, roughly. */
  readonly load: number;
  tell(command: HandCommand): Promise<HandAnswer>;
  stop(): Promise<void>;
}

function directHand(): Hand {
  const run = handsProgram({ fs, crypto });
  return { load: 0, tell: async (command) => run(command), stop: async () => {} };
}

const PROGRAM = `
const { parentPort } = require('node:worker_threads');
const run = (${handsProgram.toString()})({ fs: require('node:fs'), crypto: require('node:crypto') });
parentPort.on('message', ({ id, command }) => {
  try {
    parentPort.postMessage({ id, answer: run(command) });
  } catch (error) {
    const { message, code, syscall, path } = error;
    parentPort.postMessage({ id, failure: { message, code, syscall, path } });
  }
});
`;

interface Reply {
  readonly id: number;
  readonly answer?: HandAnswer;
  readonly failure?: { readonly message: string; readonly code?: string };
}

/** What a command costs beside its bytes, in bytes. */
const COMMAND_BYTES = 64 * 1024;

function bytesOf(command: HandCommand): number {
  switch (command.do) {
    case 'hash':
      return COMMAND_BYTES + command.to - command.from;
    case 'carry':
      return COMMAND_BYTES + command.length;
    case 'write':
    case 'copy':
    case 'check':
      return command.files.reduce((sum, { sizeBytes }) => sum + COMMAND_BYTES + sizeBytes, 0);
    case 'ranges':
      return command.ranges.reduce((sum, [from, to]) => sum + to - from, COMMAND_BYTES);
    case 'digest':
      return COMMAND_BYTES;
  }
}

interface Waiter {
  readonly bytes: number;
  readonly resolve: (answer: HandAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** A hand on a thread; the thread starts with the first command. */
function threadHand(): Hand {
  const waiters = new Map<number, Waiter>();
  let worker: Worker | undefined;
  let told = 0;
  let load = 0;
  const fail = (error: Error): void => {
    for (const { reject } of waiters.values()) reject(error);
    waiters.clear();
  };
  const start = (): Worker => {
    const started = new Worker(PROGRAM, {
      eval: true,
      execArgv: [],
      env: {},
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    started.on('message', (reply: Reply) => {
      const waiter = waiters.get(reply.id);
      waiters.delete(reply.id);
      load -= waiter?.bytes ?? 0;
      if (reply.failure === undefined) waiter?.resolve(reply.answer);
      else waiter?.reject(Object.assign(new Error(reply.failure.message), reply.failure));
    });
    started.on('error', fail);
    started.on('exit', () => fail(new Error('a helping thread ended')));
    return started;
  };
  return {
    get load() {
      return load;
    },
    tell: (command) =>
      new Promise((resolve, reject) => {
        worker ??= start();
        told += 1;
        const bytes = bytesOf(command);
        load += bytes;
        waiters.set(told, { bytes, resolve, reject });
        worker.postMessage({ id: told, command });
      }),
    stop: async () => {
      await worker?.terminate();
    },
  };
}

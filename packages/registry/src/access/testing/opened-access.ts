import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessLog } from '../../audit/access-log.ts';
import { type Database, openDatabase } from '../../database/database.ts';
import { type Access, openAccess } from '../access.ts';
import type { Credentials } from '../identify.ts';
import type { SignInConfig } from '../sign-in-config.ts';

/** The room of people and permission over a database of its own. */
export interface OpenedAccess extends AsyncDisposable {
  readonly access: Access;
  readonly accessLog: AccessLog;
  readonly database: Database;
  readonly logged: string[];
  /** Moves its clock. */
  pass(ms: number): void;
  /** A second server over the same database. */
  another(): Promise<Access>;
}

/** Opens the room for a test. */
export async function openedAccess(host: string, signIn?: SignInConfig): Promise<OpenedAccess> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-access-'));
  const database = await openDatabase({ directory });
  const { own } = database;
  let passed = 0;
  const now = (): Date => new Date(Date.UTC(2026, 4, 1) + passed);
  const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
  const logged: string[] = [];
  const warn = (message: string): void => void logged.push(message);
  const accessLog = new AccessLog({ own, now, random, warn });
  const log = (_level: string, message: string): void => warn(message);
  const open = (): Promise<Access> => openAccess({ own, host, accessLog, log, now, random, signIn });
  const access = await open();
  const others: Access[] = [];
  return {
    access,
    accessLog,
    database,
    logged,
    pass: (ms) => {
      passed += ms;
    },
    another: async () => {
      const other = await open();
      others.push(other);
      return other;
    },
    async [Symbol.asyncDispose]() {
      for (const each of [access, ...others]) await each[Symbol.asyncDispose]();
      await accessLog[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What a request carries. */
export function carrying(over: Partial<Credentials> = {}, address = '127.0.0.1'): Credentials {
  return {
    authorization: undefined,
    cookie: undefined,
    csrf: undefined,
    actor: undefined,
    origin: { address, method: 'GET', route: '/trial' },
    ...over,
  };
}

/** The header of a name and a password. */
export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

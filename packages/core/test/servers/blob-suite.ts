import { describe, test } from 'vitest';
import type { BlobStore } from '../../src/blob/blob-store.ts';
import { BLOB_STORE_CASES, BLOB_STORE_FAULT_CASES, type BlobStoreFaultSubject } from '../../src/blob/conformance.ts';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts';

/** How a suite opens clients of one kind of storage. */
export interface RemoteSubject {
  /** The port that lines lead to. */
  readonly port: number;
  /** Opens a client of the storage number `place` (each begins empty), by way of `port` when one is given. */
  open(place: string, options: { readonly port?: number; readonly silenceSeconds?: number }): Promise<BlobStore>;
  openWithWrongCredentials?(place: string): Promise<BlobStore>;
  openMissingPlace?(place: string): Promise<BlobStore>;
  /** Cases that do not hold here, by name, each with its reason. */
  readonly except?: Readonly<Record<string, string>>;
}

const SILENCE_SECONDS = 1;

/** Runs every case of the suite for stores over a network: the contract, and faulty storages, accounts and lines. */
export function describeRemoteStore(name: string, subject: RemoteSubject): void {
  let places = 0;
  const nextPlace = () => {
    places += 1;
    return `case-${places}`;
  };
  describe(`${name} keeps the contract of blob stores`, () => {
    for (const one of BLOB_STORE_CASES) {
      const reason = subject.except?.[one.name];
      test.skipIf(reason !== undefined)(titleOf(one.name, reason), async () => {
        const place = nextPlace();
        await one.run({ open: () => subject.open(place, {}) });
      });
    }
  });
  describe(`${name} with faults`, () => {
    for (const one of BLOB_STORE_FAULT_CASES) {
      const missing = one.needs !== undefined && subject[one.needs] === undefined;
      const reason = subject.except?.[one.name] ?? (missing ? `the server has no ${one.needs}` : undefined);
      test.skipIf(reason !== undefined)(titleOf(one.name, reason), () => one.run(faultSubject(subject, nextPlace())));
    }
  });
}

const titleOf = (name: string, reason: string | undefined) => (reason === undefined ? name : `${name} (${reason})`);

function faultSubject(subject: RemoteSubject, place: string): BlobStoreFaultSubject {
  const { openWithWrongCredentials, openMissingPlace } = subject;
  return {
    silenceMs: SILENCE_SECONDS * 1000,
    open: () => subject.open(place, {}),
    line: async () => {
      const proxy: FaultyProxy = await startFaultyProxy(subject.port);
      return {
        open: () => subject.open(place, { port: proxy.port, silenceSeconds: SILENCE_SECONDS }),
        openPatient: () => subject.open(place, { port: proxy.port }),
        set: proxy.set,
        close: proxy.close,
      };
    },
    openWhereNobodyListens: async () => {
      const proxy = await startFaultyProxy(subject.port);
      await proxy.close();
      return subject.open(place, { port: proxy.port, silenceSeconds: SILENCE_SECONDS });
    },
    ...(openWithWrongCredentials && { openWithWrongCredentials: () => openWithWrongCredentials(place) }),
    ...(openMissingPlace && { openMissingPlace: () => openMissingPlace(place) }),
  };
}

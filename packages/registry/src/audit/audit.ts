/** The room of the audit, put together. */

import type { FormatOnce } from '@ingot/core/content/store-format';
import type { Database } from '../database/database.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { Log } from '../services.ts';
import type { AccessLog } from './access-log.ts';
import { Notary } from './notary.ts';
import { ProtectedMoves } from './protected-moves.ts';
import { WrittenEvents } from './written-events.ts';

/** What the room is opened with. */
export interface AuditOptions {
  readonly database: Database;
  readonly format: FormatOnce;
  readonly accessLog: AccessLog;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** Whether an actor has proved who they are, when something is written. */
  readonly isAuthenticated: (actor: string) => boolean;
}

/** Who did what, and how it is proved. Disposing it writes and signs what is left. */
export interface Audit extends AsyncDisposable {
  readonly accessLog: AccessLog;
  readonly written: WrittenEvents;
  readonly protectedMoves: ProtectedMoves;
  readonly notary: Notary;
  /** Looks at events that come into the index: at moves of protected aliases. */
  follow(index: Pick<ModelIndex, 'subscribe' | 'forget'>): void;
}

/** How often is looked for what other servers decided about protected aliases. */
const REFRESH_MS = 1000;

/** Opens the room. */
export async function openAudit(options: AuditOptions): Promise<Audit> {
  const { database, format, accessLog, log, now, random, isAuthenticated } = options;
  const { own, index } = database;
  const warn = (message: string): void => log('warn', message);
  const written = new WrittenEvents({ own, isAuthenticated });
  const protectedMoves = new ProtectedMoves({ own, index, written, accessLog, now, random });
  await protectedMoves.load();
  const notary = new Notary({ own, index, format, accessLog, now, warn });
  let watching: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  return {
    accessLog,
    written,
    protectedMoves,
    notary,
    follow: (index) => {
      const look = (): Promise<void> => protectedMoves.show((model) => index.forget(model));
      const failed = (error: unknown): void => warn(`a move of an alias could not be looked at: ${String(error)}`);
      watching = watching.then(look).catch(failed);
      index.subscribe((model, events) => {
        for (const event of events) watching = watching.then(() => protectedMoves.observe(model, event)).catch(failed);
      });
      if (database.listen === undefined) return;
      // What another server flagged or let count is in no log.
      const refresh = (): Promise<void> => protectedMoves.refresh().catch(() => {}); // Looked at again soon.
      timer = setInterval(() => {
        watching = watching.then(refresh);
      }, REFRESH_MS);
      timer.unref();
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await watching;
      await notary[Symbol.asyncDispose]();
      await accessLog[Symbol.asyncDispose]();
    },
  };
}

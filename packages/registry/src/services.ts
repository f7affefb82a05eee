/** What the rooms of the server share. One object is made when it starts; each protocol takes from it what it needs. */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import type { ContentStore } from '@ingot/core/content/content-store';
import type { FormatOnce } from '@ingot/core/content/store-format';
import type { JsonValue } from '@ingot/core/json';
import type { Registry } from '@ingot/core/registry/registry';
import type { Access } from './access/access.ts';
import type { Authorizer } from './access/identity.ts';
import type { Artifacts } from './artifacts/artifacts.ts';
import type { Audit } from './audit/audit.ts';
import type { ServedContents } from './contents/served-contents.ts';
import type { Database } from './database/database.ts';
import type { Feed } from './events/feed.ts';
import type { Governance } from './governance/governance.ts';
import type { ModelIndex } from './index/indexed-registry.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

/** Receives the server's log lines; must be fast and must not throw. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  facts?: Readonly<Record<string, JsonValue>>,
) => void;

/** The store as the server works with it. */
export interface ServedStore {
  readonly address: string;
  readonly blobs: BlobStore;
  readonly format: FormatOnce;
  readonly contents: ContentStore;
}

/** What the rooms of the server share. */
export interface Services {
  readonly store: ServedStore;
  readonly database: Database;
  /** Writes to the store's logs, where policies let it, and answers from the index. */
  readonly registry: Registry;
  /** The index besides its tables: what happens in it, and how far it is. */
  readonly index: ModelIndex;
  /** What happens in the index, here and at other servers over it. */
  readonly feed: Feed;
  readonly authorizer: Authorizer;
  /** Policies, approvals, holds, retention. */
  readonly governance: Governance;
  /** Accounts, tokens and sign-in; undefined where a trial has none. */
  readonly access?: Access;
  /** Who did what, and how it is proved; undefined where a trial has none. */
  readonly audit?: Audit;
  /** Files of runs, logged models and versions as clients of MLflow see them; undefined where a trial has none. */
  readonly artifacts?: Artifacts;
  /** Who is told of what happens; undefined where a trial has none. */
  readonly webhooks?: Webhooks;
  /** Contents as clients send and read them. */
  readonly contents: ServedContents;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** The server's own version. */
  readonly version: string;
}

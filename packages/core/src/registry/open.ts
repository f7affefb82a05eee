import { randomBytes } from 'node:crypto';
import type { BlobStore } from '../blob/blob-store.ts';
import { FormatOnce } from '../content/store-format.ts';
import { type AttachmentWriter, createAttachmentWriter } from './attachments.ts';
import { createClockCheck } from './clock-check.ts';
import type { StoredEvent } from './events.ts';
import { HintWriter } from './hints.ts';
import { createGovernanceWriter } from './governance-writer.ts';
import { createLogReader } from './log-reader.ts';
import { createVersionWriter } from './log-writer.ts';
import { ModelDirectory } from './model-directory.ts';
import { createModelWriter } from './model-writer.ts';
import { createPublisher } from './publisher.ts';
import type { Registry } from './registry.ts';
import type { RememberedStates } from './remembered.ts';

/** Options of {@link openLogRegistry}. */
export interface LogRegistryOptions {
  readonly blobs: BlobStore;
  /** Who writes, as the history shows it: `ana@laptop`. */
  readonly actor: string;
  /** Default: the system clock. Writing is refused when it is more than five minutes off the storage's. */
  readonly clock?: () => Date;
  /** Default: the system's random bytes. */
  readonly random?: (size: number) => Uint8Array;
  /** Is told of each event that this registry has written: the log's place (`names`, `models/<id>`) and the event. Default: nobody is. */
  readonly onEvent?: (log: string, event: StoredEvent) => void;
  /**
   * Is told of each event that is about to be written; the event stands only after this has ended, and is not written when
   * it fails. What was told of may never stand: somebody else may be faster. Default: nobody is.
   */
  readonly beforeEvent?: (log: string, event: StoredEvent) => Promise<void>;
  /**
   * Whether this process stays and writes again and again: heads, segments and what is remembered are then written beside
   * its answers, until it is disposed; and an event that it saw as a log's last one within a second is not looked for again
   * before the next. Default: false.
   */
  readonly resident?: boolean;
  /** Whether each event leaves a hint for servers that watch the store: one more small blob, which nobody waits for. Default: false. */
  readonly hints?: boolean;
  /** What is remembered between runs. Default: nothing, so that logs are read from their heads. */
  readonly memory?: RememberedStates;
  /** What was read of the store's format, for those who share it. Default: the registry reads it. */
  readonly format?: FormatOnce;
  /** Is told of caches that had to be passed over, each once. Default: nobody is. */
  readonly onWarning?: (message: string) => void;
}

/** How long the events of one log share a hint where many are written. */
const SHARED_HINTS_MS = 250;

/** A registry in a storage. Disposing it writes what it remembers. */
export type LogRegistry = Registry & AttachmentWriter & AsyncDisposable;

/**
 * Opens the registry that lies in a blob store. Nothing is read or written before it is asked something.
 *
 * @example
 * await using registry = openLogRegistry({ blobs: createLocalBlobStore('/srv/models'), actor: 'ana@laptop' });
 * const { number } = await registry.resolve(parseReference('churn@production'));
 */
export function openLogRegistry(options: LogRegistryOptions): LogRegistry {
  const now = options.clock ?? (() => new Date());
  const random = options.random ?? randomBytes;
  const { blobs, actor, memory } = options;
  const hints = options.hints ? new HintWriter(blobs, now, options.resident ? SHARED_HINTS_MS : 0) : undefined;
  const beside = new Set<Promise<void>>();
  const ending = new AbortController();
  const tools = {
    blobs,
    actor,
    now,
    random,
    warn: warnOnce(options.onWarning),
    checkClock: createClockCheck(blobs, now, random),
    onEvent: (log: string, event: StoredEvent) => {
      hints?.leave(log, event.head.seq);
      options.onEvent?.(log, event);
    },
    beforeEvent: options.beforeEvent,
    ending: ending.signal,
    beside: options.resident
      ? (work: Promise<void>) => {
          const running = work.finally(() => beside.delete(running));
          beside.add(running);
        }
      : undefined,
    ...(memory ? { forgetHint: hintFor(memory) } : {}),
  };
  const directory = new ModelDirectory(tools, options.format ?? new FormatOnce(blobs), memory);
  return {
    ...createLogReader(directory),
    ...createModelWriter(directory),
    ...createVersionWriter(directory),
    ...createGovernanceWriter(directory),
    ...createAttachmentWriter(directory),
    ...createPublisher(directory),
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await Promise.all(beside);
      await hints?.settled();
      await directory.remember(true);
    },
  };
}

function hintFor({ location }: RememberedStates): string {
  return `if the store was put back to an older state on purpose, delete ${location}`;
}

function warnOnce(warn: LogRegistryOptions['onWarning']): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (told.has(message)) return;
    told.add(message);
    warn?.(message);
  };
}

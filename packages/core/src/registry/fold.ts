/**
 * State is a pure fold over events. A *slim event* keeps of an event what some fold reads; a fold sees slim events
 * only, so whatever holds a run of them (a head, a segment) gives the same state as the log itself.
 */

import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { StoredEvent } from './events.ts';

/** What the folds need of an event. */
export interface SlimEvent {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly ignorable?: true;
  /** Only the entries that a fold reads; undefined when the body was erased. */
  readonly body?: JsonObject;
}

/** An event of a kind this release does not know. */
export interface UnknownEvent {
  readonly seq: number;
  readonly kind: string;
  readonly ignorable: boolean;
}

/** How the state of one sort of log comes about. `State` is plain JSON and never changes in place. */
export interface Fold<State> {
  /** Changes whenever the same events would give another state, or slim events keep other entries. */
  readonly version: number;
  readonly initial: State;
  /** Whether events that an older version slimmed down are the same by this one. Default: they never are. */
  readsOlder?(version: number, events: readonly SlimEvent[]): boolean;
  /** Keeps of an event's body what the fold reads. */
  slimBody(kind: string, body: JsonObject): JsonObject;
  /**
   * Gives the state after some more events.
   * @param fileOf names the file of an event, for errors.
   * @throws IngotError `integrity` when an event's body is not what its kind asks for.
   */
  apply(state: State, events: readonly SlimEvent[], fileOf: (seq: number) => string): State;
  /** The first event that this release does not know, those that are not ignorable before the others. */
  unknown(state: State): UnknownEvent | undefined;
  /** Gives the state as something that `JSON.stringify` writes whole. */
  toJson(state: State): object;
  /** Reads a state that was remembered as JSON. Throws `integrity`. */
  parse(json: JsonObject, where: string): State;
}

/** Slims an event down. */
export function slimEvent(fold: Pick<Fold<unknown>, 'slimBody'>, { head, body }: StoredEvent): SlimEvent {
  const { seq, at, kind, ignorable } = head;
  return {
    seq,
    at,
    kind,
    ...(ignorable ? { ignorable } : {}),
    ...(body === undefined ? {} : { body: fold.slimBody(kind, body) }),
  };
}

/** Keeps the named entries of an object that are there. */
export function pick(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = Object.hasOwn(object, key) ? object[key] : undefined;
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

/** Adds an event of an unknown kind to what a state knows of such. */
export function noteUnknown(known: UnknownEvent | undefined, event: SlimEvent): UnknownEvent {
  if (known !== undefined && (!known.ignorable || event.ignorable)) return known;
  return { seq: event.seq, kind: event.kind, ignorable: event.ignorable === true };
}

/**
 * Refuses to read (or, with `write`, to write) a log that holds events of a newer release.
 * @throws IngotError `refused`.
 */
export function refuseUnknown(
  unknown: UnknownEvent | undefined,
  use: 'read' | 'write',
  file: (seq: number) => string,
): void {
  if (unknown === undefined || (use === 'read' && unknown.ignorable)) return;
  throw new IngotError(
    'refused',
    `${file(unknown.seq)} is an event of the kind "${unknown.kind.slice(0, 60)}", which this release of Ingot does not know` +
      (unknown.ignorable ? ', so it will not write to this log' : ''),
    { hint: 'install the newest Ingot', details: { file: file(unknown.seq), kind: unknown.kind } },
  );
}

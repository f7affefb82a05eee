import assert from 'node:assert/strict';
import type { Digest } from '../../digest.ts';
import { digestOf } from '../../digest.ts';
import type { ErrorCode } from '../../errors.ts';
import { IngotError } from '../../errors.ts';
import type { ModelName, Reference } from '../../ref.ts';
import { parseModelName, parseReference } from '../../ref.ts';
import type { Registry, VersionDraft } from '../registry.ts';

/** What a case works on: one empty store that several clients can open. */
export interface RegistrySubject {
  /** Opens the store for one more client, which shares no memory with the others. */
  open(): Registry;
}

/** One thing that every registry does. */
export interface RegistryCase {
  /** A sentence that is true of every registry. */
  readonly name: string;
  run(subject: RegistrySubject): Promise<void>;
}

/** The model that most cases use. */
export const CHURN: ModelName = parseModelName('churn');

/** Makes a draft whose content is named by a text. */
export function draftOf(content: string, extra: Partial<VersionDraft> = {}): VersionDraft {
  const manifest: Digest = digestOf(content);
  const recipe = { digest: digestOf(`recipe of ${content}`), pack: 'upload-1/1', offset: 0, length: 10 };
  return { manifest, recipe, sizeBytes: 10, fileCount: 1, flavor: 'sklearn', scan: 'not scanned', ...extra };
}

/** Publishes contents one after the other, as versions 1, 2, …. */
export async function published(registry: Registry, ...contents: readonly string[]): Promise<void> {
  await registry.ensureModel(CHURN);
  for (const content of contents) await registry.publish(CHURN, draftOf(content));
}

/** Reads a reference that the case knows to be well-formed. */
export function ref(text: string): Reference {
  return parseReference(text);
}

/** The number a reference resolves to. */
export async function numberOf(registry: Registry, text: string): Promise<number> {
  return (await registry.resolve(ref(text))).number;
}

/** Checks that a call fails with a code; gives the error. */
export async function failsWith(code: ErrorCode, call: () => Promise<unknown>): Promise<IngotError> {
  const outcome = await call().then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof IngotError, `failed with ${String(outcome)} instead of an IngotError ${code}`);
  assert.equal(outcome.code, code, outcome.message);
  return outcome;
}

/** Collects a stream. */
export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { canonicalJson, isJsonObject } from '../json.ts';
import type { EventHead } from './events.ts';
import { encodeEvent, parseEvent } from './events.ts';

const FILE = 'models/churn-1/log/0000000002.json';
const SALT = 'ab'.repeat(16);
const HEAD: Omit<EventHead, 'bodyDigest'> = {
  seq: 2,
  previous: digestOf('first'),
  id: '0123456789abcdef'.repeat(2),
  at: '2026-01-02T03:04:05.678Z',
  actor: 'ana@laptop',
  kind: 'alias-set',
};
const BODY = { alias: 'production', number: 1, from: null };

function document(): { head: Record<string, unknown>; salt?: unknown; body?: unknown } {
  return JSON.parse(Buffer.from(encodeEvent(HEAD, SALT, BODY).bytes).toString());
}

function tamperedWhen(change: (event: ReturnType<typeof document>) => unknown): void {
  const event = document();
  const changed = change(event) ?? event;
  const bytes = Buffer.from(typeof changed === 'string' ? changed : JSON.stringify(changed));
  assert.throws(
    () => parseEvent(bytes, FILE, 2),
    (error) =>
      error instanceof IngotError && ['tampered', 'integrity'].includes(error.code) && error.message.includes(FILE),
  );
}

describe('events', () => {
  test('are read as they were written, whatever the body', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const body: unknown = JSON.parse(JSON.stringify(value));
        assert.ok(isJsonObject(body));
        const written = encodeEvent(HEAD, SALT, body);
        const read = parseEvent(written.bytes, FILE, 2);
        assert.equal(read.digest, written.digest);
        assert.deepEqual(read.head, written.head);
        assert.equal(canonicalJson(read.body), canonicalJson(body));
      }),
    );
  });

  test('are canonical JSON and a line end, named by the digest of their head', () => {
    const { bytes, digest, head } = encodeEvent(HEAD, SALT, BODY);
    const text = Buffer.from(bytes).toString();
    assert.equal(text, `${canonicalJson(JSON.parse(text))}\n`);
    assert.equal(digest, digestOf(canonicalJson(head)));
    assert.equal(head.bodyDigest, digestOf(SALT + canonicalJson(BODY)));
  });

  test('whose body was erased still have their place in the chain', () => {
    const { head, digest } = encodeEvent(HEAD, SALT, BODY);
    const read = parseEvent(Buffer.from(JSON.stringify({ head })), FILE, 2);
    assert.equal(read.body, undefined);
    assert.equal(read.digest, digest);
  });

  test('that were changed in any way are refused and the file is named', () => {
    tamperedWhen(() => '');
    tamperedWhen(() => '{"head":');
    tamperedWhen(() => '[]');
    tamperedWhen((event) => ({ ...event, head: undefined }));
    tamperedWhen((event) => ({ ...event, body: { ...BODY, number: 2 } }));
    tamperedWhen((event) => ({ ...event, salt: 'cd'.repeat(16) }));
    tamperedWhen((event) => ({ ...event, salt: undefined }));
    tamperedWhen((event) => ({ ...event, body: undefined }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, seq: 3 } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, seq: '2' } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, extra: 1 } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, id: 'x' } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, at: 'yesterday' } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, previous: 'sha256:no' } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, previous: undefined } }));
    tamperedWhen((event) => ({ ...event, head: { ...event.head, ignorable: false } }));
  });

  test('are refused with any bit of them flipped, also the last one, which no later event names', () => {
    const { bytes } = encodeEvent(HEAD, SALT, BODY);
    for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const text = flipped.toString('latin1');
      // White space for white space is the same document, and a sum under another name is none.
      if (!text.includes('"sum"') || text.trimEnd() === Buffer.from(bytes).toString().trimEnd()) continue;
      assert.throws(() => parseEvent(flipped, FILE, 2), text);
    }
  });

  test('have another digest when anything in the head is another', () => {
    const digests = [
      HEAD,
      { ...HEAD, at: '2026-01-02T03:04:05.679Z' },
      { ...HEAD, actor: 'eve' },
      { ...HEAD, kind: 'x' },
    ].map((head) => encodeEvent(head, SALT, BODY).digest);
    digests.push(encodeEvent(HEAD, SALT, { ...BODY, number: 2 }).digest);
    assert.equal(new Set(digests).size, digests.length);
  });
});

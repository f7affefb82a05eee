import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import { draftOf } from './conformance/case.ts';
import type { StoredEvent } from './events.ts';
import { encodeEvent } from './events.ts';
import type { SlimEvent } from './fold.ts';
import { slimEvent } from './fold.ts';
import type { ModelState } from './model-fold.ts';
import { modelFold } from './model-fold.ts';
import { encodeRun, parseRun } from './run.ts';
import { latestVersion, liveAliases } from './select.ts';
import { publishedBody } from './version-body.ts';

type Operation =
  | { readonly kind: 'publish'; readonly label: string | undefined }
  | { readonly kind: 'alias'; readonly alias: string; readonly of: number }
  | { readonly kind: 'unalias'; readonly alias: string }
  | { readonly kind: 'update' | 'retire' | 'delete'; readonly of: number };

const alias = fc.constantFrom('production', 'staging', 'constructor');
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('publish' as const), label: fc.constantFrom(undefined, '1.0', '2.0') }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('alias' as const), alias, of: fc.nat(30) }) },
  fc.record({ kind: fc.constant('unalias' as const), alias }),
  fc.record({ kind: fc.constantFrom('update' as const, 'retire' as const, 'delete' as const), of: fc.nat(30) }),
);

/** What a person would keep in their head: nothing but maps. */
interface Model {
  readonly status: ('active' | 'retired' | 'deleted')[];
  readonly aliases: Map<string, number>;
  readonly holders: Map<string, number[]>;
}

/** Plays operations on the model and gives the events a registry would write for them. */
function play(operations: readonly Operation[]): { model: Model; events: StoredEvent[] } {
  const model: Model = { status: [], aliases: new Map(), holders: new Map() };
  const bodies = operations.flatMap((one) => {
    const body = step(model, one);
    return body === undefined ? [] : [body];
  });
  return { model, events: chain(bodies) };
}

function step(model: Model, one: Operation): [string, JsonObject] | undefined {
  if (one.kind === 'publish') {
    model.status.push('active');
    const number = model.status.length;
    const draft = draftOf(`content ${number}`, one.label === undefined ? {} : { label: one.label });
    return ['version-published', publishedBody(draft, number, { shadowed: false })];
  }
  if (one.kind === 'unalias') {
    const from = model.aliases.get(one.alias);
    model.aliases.delete(one.alias);
    return from === undefined ? undefined : ['alias-removed', { alias: one.alias, from }];
  }
  if (model.status.length === 0) return undefined;
  const number = 1 + (one.of % model.status.length);
  if (one.kind === 'alias') {
    model.aliases.set(one.alias, number);
    const held = (model.holders.get(one.alias) ?? []).filter((old) => old !== number);
    model.holders.set(one.alias, [number, ...held]);
    return ['alias-set', { alias: one.alias, number }];
  }
  if (one.kind === 'update') return ['version-updated', { number, metrics: { auc: one.of } }];
  model.status[number - 1] = one.kind === 'retire' ? 'retired' : 'deleted';
  return [one.kind === 'retire' ? 'version-retired' : 'version-deleted', { number }];
}

function chain(bodies: readonly [string, JsonObject][]): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (const [kind, body] of bodies) {
    const seq = events.length + 1;
    const previous = events.at(-1)?.digest ?? null;
    const at = new Date(1_750_000_000_000 + seq).toISOString();
    const id = seq.toString(16).padStart(32, '0');
    events.push(encodeEvent({ seq, previous, id, at, actor: 'a', kind }, id, body));
  }
  return events;
}

const slim = (events: readonly StoredEvent[]) => events.map((event) => slimEvent(modelFold, event));
const fileOf = (seq: number) => `event ${seq}`;
const folded = (events: readonly SlimEvent[], from = modelFold.initial) => modelFold.apply(from, events, fileOf);

function throughRun(events: readonly SlimEvent[]): readonly SlimEvent[] {
  const run = { fold: 1, from: 1, previous: null, digest: digestOf(''), events };
  return parseRun(Buffer.from(encodeRun(run)), 'heads').events;
}

function throughJson(state: ModelState): ModelState {
  const json: unknown = JSON.parse(JSON.stringify(modelFold.toJson(state)));
  assert.ok(isJsonObject(json));
  return modelFold.parse(json, 'memory');
}

const sequences = fc.array(operation, { maxLength: 40 });

describe('the fold of a model', () => {
  test('of any sequence of operations is what those operations mean', () => {
    fc.assert(
      fc.property(sequences, (operations) => {
        const { model, events } = play(operations);
        const state = folded(slim(events));
        assert.deepEqual(
          state.versions.map((entry) => entry?.status),
          model.status,
        );
        assert.deepEqual(new Map(liveAliases(state).map((entry) => [entry.alias, entry.number])), model.aliases);
        const newest = model.status.lastIndexOf('active') + 1;
        assert.equal(latestVersion(state)?.number ?? 0, newest);
        for (const { alias: name, number, past } of state.aliases)
          assert.deepEqual([...(number === null ? [] : [number]), ...past], model.holders.get(name));
      }),
    );
  });

  test('from a head and a tail, through files and memory, is the fold from the start', () => {
    fc.assert(
      fc.property(sequences, fc.nat(40), (operations, cut) => {
        const events = slim(play(operations).events);
        const whole = folded(events);
        const head = folded(throughRun(events.slice(0, cut)));
        assert.deepEqual(folded(events.slice(cut), head), whole);
        assert.deepEqual(folded(events.slice(cut), throughJson(head)), whole);
      }),
    );
  });

  test('changes no state in place', () => {
    fc.assert(
      fc.property(sequences, fc.nat(40), (operations, cut) => {
        const events = slim(play(operations).events);
        const head = folded(events.slice(0, cut));
        const before = JSON.stringify(head);
        folded(events.slice(cut), head);
        assert.equal(JSON.stringify(head), before);
      }),
    );
  });

  test('keeps the number of a version whose event was erased', () => {
    const [first, second] = slim(
      play([
        { kind: 'publish', label: undefined },
        { kind: 'publish', label: undefined },
      ]).events,
    );
    assert.ok(first && second);
    const { body: _, ...erased } = first;
    const state = folded([erased, second]);
    assert.equal(state.versions[0], null);
    assert.equal(state.versions[1]?.number, 2);
    assert.deepEqual(throughJson(state), state);
  });

  test('leaves out the numbers between two publications, and takes a version that is retired from the start', () => {
    const [first] = slim(play([{ kind: 'publish', label: undefined }]).events);
    assert.ok(first);
    const second = {
      ...first,
      seq: 2,
      body: { ...first.body, number: 4, retired: true, createdAt: '2023-05-04T00:00:00.000Z' },
    };
    const state = folded([first, second]);
    assert.deepEqual(
      state.versions.map((entry) => entry?.number ?? null),
      [1, null, null, 4],
    );
    assert.equal(state.versions[3]?.status, 'retired');
    assert.equal(state.versions[3]?.createdAt, '2023-05-04T00:00:00.000Z');
    assert.deepEqual(throughJson(state), state);
  });

  test('refuses events that cannot be, and names them', () => {
    const publish = slim(play([{ kind: 'publish', label: undefined }]).events);
    const [first] = publish;
    assert.ok(first);
    const bad: [string, JsonObject][] = [
      ['version-published', { ...first.body, number: 1 }],
      ['version-published', { ...first.body, number: 20_000 }],
      ['version-published', { ...first.body, number: 2, manifest: 'md5:1' }],
      ['alias-set', { alias: 'production', number: 2 }],
      ['alias-set', { alias: 7, number: 1 }],
      ['version-retired', { number: 0 }],
      ['version-updated', { number: 1, metrics: { auc: 'high' } }],
      ['model-updated', { tags: { team: 1 } }],
      ['upload-expired', {}],
      ['stage-set', { number: 2, stage: 'Staging' }],
      ['stage-set', { number: 1 }],
    ];
    for (const [kind, body] of bad) {
      const event = { seq: 2, at: first.at, kind, body };
      assert.throws(() => folded([first, event]), { code: 'integrity', message: /event 2/ }, kind);
    }
  });

  test('reads runs of the version before it unless they hold what that one left out', () => {
    const published: [string, JsonObject] = ['version-published', publishedBody(draftOf('a'), 1, { shadowed: false })];
    const reads = (version: number, ...kinds: readonly [string, JsonObject][]) =>
      modelFold.readsOlder?.(version, slim(chain([published, ...kinds])));
    assert.equal(reads(1), true);
    assert.equal(reads(0), false);
    assert.equal(reads(1, ['stage-set', { number: 1, stage: 'Staging' }]), false);
    assert.equal(reads(1, ['model-updated', { description: 'd' }]), false);
  });

  test('keeps uploads that expired, holds and what is said of the model', () => {
    const kinds: [string, JsonObject][] = [
      ['version-published', publishedBody(draftOf('a'), 1, { shadowed: false })],
      ['upload-expired', { upload: 'u1' }],
      ['hold-set', { hold: 'audit', number: null }],
      ['hold-set', { hold: 'court', number: 3 }],
      ['hold-released', { hold: 'audit' }],
      ['model-updated', { description: 'd', tags: { a: '1', b: '2' } }],
      ['model-updated', { tags: { a: null } }],
      ['attached', { subject: 's', manifest: 'm' }],
      ['stage-set', { number: 1, stage: 'Production' }],
      ['approval-given', { number: 1 }],
      ['closed', {}],
    ];
    const state = folded(slim(chain(kinds)));
    assert.deepEqual(state.expiredUploads, ['u1']);
    assert.deepEqual(state.holds, [{ hold: 'court', number: 3 }]);
    assert.equal(state.description, 'd');
    assert.deepEqual(state.tags, { b: '2' });
    assert.equal(state.closed, true);
    assert.equal(state.versions[0]?.stage, 'Production');
    assert.equal(state.unknown, undefined);
    assert.deepEqual(throughJson(state), state);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf, collect } from '../blob/bytes.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { all, CHURN, draftOf, failsWith, numberOf, published, ref } from './conformance/case.ts';
import { encodeEvent, parseEvent } from './events.ts';
import type { LogRegistryOptions } from './open.ts';
import { openLogRegistry } from './open.ts';
import type { RememberedLog, RememberedStates, SeenLog } from './remembered.ts';
import { observedBlobs, overwrite } from './testing/observed-blobs.ts';

type Told = Partial<LogRegistryOptions>;

function open(blobs: BlobStore, options: Told = {}) {
  return openLogRegistry({ blobs, actor: 'ana@laptop', ...options });
}

async function keysOf(blobs: BlobStore, part: string): Promise<string[]> {
  return (await all(blobs.list(''))).map(({ key }) => key).filter((key) => key.includes(part));
}

async function modelLog(blobs: BlobStore): Promise<string> {
  const [key = ''] = await keysOf(blobs, '/log/0000000001.json');
  return key.replace('0000000001.json', '');
}

async function append(blobs: BlobStore, kind: string, body: JsonObject, ignorable = false): Promise<void> {
  const prefix = await modelLog(blobs);
  const keys = (await keysOf(blobs, prefix)).sort();
  const seq = keys.length + 1;
  const bytes = await collect(blobs.read(keys.at(-1) ?? ''));
  const last = parseEvent(bytes, '', seq - 1);
  const head = {
    seq,
    previous: last.digest,
    id: 'ef'.repeat(16),
    at: last.head.at,
    actor: 'x',
    kind,
    ...(ignorable ? { ignorable: true as const } : {}),
  };
  await blobs.write(
    `${prefix}${String(seq).padStart(10, '0')}.json`,
    bodyOf(encodeEvent(head, 'ab'.repeat(16), body).bytes),
  );
}

/** What a process remembers, without a disk. */
function memoryOfOneMachine(): RememberedStates {
  const logs = new Map<string, SeenLog>();
  return {
    location: '/cache/logs',
    load: async () => {},
    get: (log) => logs.get(log),
    put: (log, { state, brief, ...seen }: RememberedLog) => {
      const copy = (value: object | undefined): JsonObject | undefined => value && JSON.parse(JSON.stringify(value));
      logs.set(log, { ...seen, brief: copy(brief), state: () => copy(state) });
    },
    drop: (log) => void logs.delete(log),
    save: async () => {},
  };
}

describe('a log that was changed', () => {
  for (const [what, change] of [
    ['an event with another body', (text: string) => text.replace('"flavor":"sklearn"', '"flavor":"onnx"')],
    ['an event with another actor', (text: string) => text.replace('ana@laptop', 'eve@laptop')],
    ['half an event', (text: string) => text.slice(0, 100)],
    ['no event in the middle', () => undefined],
  ] as const) {
    test(`by ${what} is refused, and the file is named`, async () => {
      const blobs = createMemoryBlobStore();
      await published(open(blobs), 'a', 'b', 'c');
      const key = `${await modelLog(blobs)}0000000002.json`;
      const text = change(String(await collect(blobs.read(key))));
      await overwrite(blobs, key, text === undefined ? undefined : Buffer.from(text));
      const error = await failsWith('tampered', () => open(blobs).resolve(ref('churn')));
      assert.ok(error.message.includes(text === undefined ? key : '/log/000000000'), error.message);
    });
  }

  test('by an event chained to another past is refused', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a', 'b');
    const prefix = await modelLog(blobs);
    const head = {
      seq: 2,
      previous: digestOf('another past'),
      id: 'ef'.repeat(16),
      at: new Date().toISOString(),
      actor: 'x',
      kind: 'alias-set',
    };
    const forged = encodeEvent(head, 'ab'.repeat(16), { alias: 'production', number: 1 });
    await overwrite(blobs, `${prefix}0000000002.json`, forged.bytes);
    await failsWith('tampered', () => open(blobs).resolve(ref('churn')));
  });

  test('so that it goes back behind what is remembered is refused, with what to do', async () => {
    const blobs = createMemoryBlobStore();
    const memory = memoryOfOneMachine();
    await published(open(blobs, { memory }), 'a', 'b');
    await open(blobs, { memory })[Symbol.asyncDispose]();
    const one = open(blobs, { memory });
    await one.resolve(ref('churn'));
    await one[Symbol.asyncDispose]();
    await overwrite(blobs, `${await modelLog(blobs)}0000000002.json`, undefined);
    const error = await failsWith('tampered', () => open(blobs, { memory }).resolve(ref('churn')));
    assert.match(error.hint ?? '', /delete \/cache\/logs/);
    await failsWith('tampered', () => open(blobs, { memory }).publish(CHURN, draftOf('c')));
    assert.equal(await numberOf(open(blobs), 'churn'), 1, 'who remembers nothing cannot know');
  });

  test('so that it says something else than is remembered is refused', async () => {
    const blobs = createMemoryBlobStore();
    const memory = memoryOfOneMachine();
    await using first = open(blobs, { memory });
    await published(first, 'a', 'b');
    await first[Symbol.asyncDispose]();
    const key = `${await modelLog(blobs)}0000000002.json`;
    const { head, body } = parseEvent(await collect(blobs.read(key)), key, 2);
    assert.ok(body);
    await overwrite(blobs, key, encodeEvent({ ...head, actor: 'eve' }, 'cd'.repeat(16), body).bytes);
    await failsWith('tampered', () => open(blobs, { memory }).resolve(ref('churn')));
  });

  test('by losing its end while a writer runs is not continued with a hole', async () => {
    const blobs = createMemoryBlobStore();
    const registry = open(blobs);
    await published(registry, 'a', 'b');
    await overwrite(blobs, `${await modelLog(blobs)}0000000002.json`, undefined);
    await failsWith('tampered', () => registry.publish(CHURN, draftOf('c')));
    assert.equal((await keysOf(blobs, await modelLog(blobs))).length, 1);
  });

  test('by the whole store being gone is a store that is not found', async () => {
    const blobs = createMemoryBlobStore();
    const registry = open(blobs);
    await failsWith('store-not-found', () => registry.resolve(ref('churn')));
    const memory = memoryOfOneMachine();
    const first = open(blobs, { memory });
    await published(first, 'a');
    await first[Symbol.asyncDispose]();
    for (const { key } of await all(blobs.list(''))) await blobs.delete(key);
    await failsWith('store-not-found', () => open(blobs, { memory }).resolve(ref('churn')));
  });
});

describe('events of a newer release', () => {
  test('that are ignorable are passed over by readers and stop writers', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a');
    await append(blobs, 'poem-added', { text: 'roses' }, true);
    assert.equal(await numberOf(open(blobs), 'churn'), 1);
    const error = await failsWith('refused', () => open(blobs).publish(CHURN, draftOf('b')));
    assert.match(error.message, /poem-added/);
    assert.match(error.hint ?? '', /newest Ingot/);
  });

  test('that are not ignorable stop readers too', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a');
    await append(blobs, 'numbers-swapped', {});
    await append(blobs, 'alias-set', { alias: 'x', number: 1 });
    await failsWith('refused', () => open(blobs).resolve(ref('churn')));
    await failsWith('refused', () => open(blobs).setAlias(CHURN, 'production', 1));
  });
});

describe('an upload that expired', () => {
  test('cannot be published any more', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a');
    await append(blobs, 'upload-expired', { upload: 'upload-9' });
    await failsWith('conflict', () => open(blobs).publish(CHURN, draftOf('b', { upload: 'upload-9' })));
    const recipe = { ...draftOf('b').recipe, pack: 'upload-9/1' };
    await failsWith('conflict', () => open(blobs).publish(CHURN, draftOf('b', { recipe })));
    assert.equal((await open(blobs).publish(CHURN, draftOf('b'))).version.number, 2);
  });

  test('and a hold forbids deletion', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a', 'b');
    await append(blobs, 'hold-set', { hold: 'court', number: 1 });
    await failsWith('refused', () => open(blobs).deleteVersion(ref('churn:1')));
    await failsWith('refused', () => open(blobs).deleteModel(CHURN));
    await open(blobs).deleteVersion(ref('churn:2'));
  });
});

describe('a reply that is lost', () => {
  /** Writes, then says that it did not work. */
  function losing(inner: BlobStore, lose: (key: string) => boolean, first: 'write' | 'drop'): BlobStore {
    return {
      ...inner,
      stat: inner.stat.bind(inner),
      write: async (key, body, options) => {
        if (!lose(key)) return inner.write(key, body, options);
        if (first === 'write') await inner.write(key, body, options);
        throw new IngotError('unavailable', 'connection reset');
      },
    };
  }

  test('after the event stands is a success, once', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a');
    const registry = open(losing(blobs, (key) => key.includes('/log/'), 'write'));
    const { version, existed } = await registry.publish(CHURN, draftOf('b'));
    assert.equal(version.number, 2);
    assert.equal(existed, false);
    const move = await registry.setAlias(CHURN, 'production', 2, { expected: null });
    assert.deepEqual(move, { alias: 'production', from: null, to: 2 });
    assert.equal((await all(open(blobs).history(CHURN))).length, 3);
  });

  test('before the event stands is tried once more', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a');
    let failures = 1;
    const once = losing(blobs, (key) => key.includes('/log/') && failures-- > 0, 'drop');
    assert.equal((await open(once).publish(CHURN, draftOf('b'))).version.number, 2);
  });

  test('from a storage that stays away is reported as unavailable', async () => {
    const blobs = createMemoryBlobStore();
    await published(open(blobs), 'a');
    await failsWith('unavailable', () =>
      open(losing(blobs, (key) => key.includes('/log/'), 'drop')).publish(CHURN, draftOf('b')),
    );
    assert.equal((await all(open(blobs).history(CHURN))).length, 1);
  });
});

describe('clocks', () => {
  const START = new Date('2026-01-01T00:00:00.000Z');

  test('a writer more than five minutes off the storage is refused, before anything is written', async () => {
    for (const minutes of [-6, 6]) {
      const blobs = createMemoryBlobStore({ now: () => START });
      const clock = () => new Date(START.getTime() + minutes * 60_000);
      const error = await failsWith('refused', () => open(blobs, { clock }).ensureModel(CHURN));
      assert.match(error.message, minutes < 0 ? /6 minutes behind/ : /6 minutes ahead/);
      assert.deepEqual(await keysOf(blobs, '/'), []);
    }
  });

  test('times never go back, even when a clock does', async () => {
    let now = START;
    const blobs = createMemoryBlobStore({ now: () => START });
    const registry = open(blobs, { clock: () => now });
    await published(registry, 'a');
    now = new Date(START.getTime() - 60_000);
    await registry.publish(CHURN, draftOf('b'));
    now = new Date(START.getTime() + 60_000);
    await registry.publish(CHURN, draftOf('c'));
    const times = (await all(registry.history(CHURN))).map(({ at }) => Date.parse(at) - START.getTime());
    assert.deepEqual(times, [0, 0, 60_000]);
  });
});

describe('heads and segments', () => {
  async function longLog(events: number) {
    const blobs = createMemoryBlobStore();
    const registry = open(blobs);
    await published(registry, 'first');
    for (let n = 2; n <= events; n += 1) await registry.publish(CHURN, draftOf(`content ${n}`));
    return blobs;
  }

  test('let a log of 700 events be read and continued with few requests', async () => {
    const blobs = observedBlobs(await longLog(700));
    assert.equal(await numberOf(open(blobs), 'churn'), 700);
    assert.ok(blobs.requests.length < 25, `${blobs.requests.length} requests to resolve`);
    blobs.requests.length = 0;
    await open(blobs).publish(CHURN, draftOf('new', { label: '1.0', labelFrom: 'flag' }));
    assert.ok(blobs.requests.length < 35, `${blobs.requests.length} requests to publish`);
  });

  test('are few beside the log', async () => {
    const blobs = await longLog(300);
    assert.equal((await keysOf(blobs, '/segments/')).length, 1);
    assert.ok((await keysOf(blobs, '/heads/')).length <= 4);
  });

  test('that were deleted, all or some, change no answer', async () => {
    const blobs = await longLog(530);
    const whole = await open(blobs).model(CHURN);
    for (const part of ['/heads/', '/segments/0000000256', '/segments/']) {
      for (const key of await keysOf(blobs, part)) await blobs.delete(key);
      assert.deepEqual(await open(blobs).model(CHURN), whole, part);
    }
    await open(blobs).publish(CHURN, draftOf('more'));
    assert.equal((await keysOf(blobs, '/segments/')).length, 2, 'a writer who had to read it all writes them again');
  });

  test('that are damaged or lie are passed over and named once', async () => {
    const blobs = await longLog(24);
    const whole = await open(blobs).model(CHURN);
    const [key = ''] = (await keysOf(blobs, '/heads/')).filter((name) => name.startsWith('models/')).slice(-1);
    const good = String(await collect(blobs.read(key)));
    const lie = good.replaceAll('"flavor":"sklearn"', '"flavor":"onnx"').replace(/"sum":"[^"]*"/, () => {
      const run = good.slice(good.indexOf(',"run":') + 7, -2).replaceAll('"flavor":"sklearn"', '"flavor":"onnx"');
      return `"sum":"${digestOf(run)}"`;
    });
    const otherLog = lie.replace(/"digest":"sha256:[0-9a-f]{64}","events"/, `"digest":"${digestOf('x')}","events"`);
    const resealed = otherLog.replace(
      /"sum":"[^"]*"/,
      `"sum":"${digestOf(otherLog.slice(otherLog.indexOf(',"run":') + 7, -2))}"`,
    );
    for (const text of ['', '{}', good.slice(0, 200), good.replace('sklearn', 'onnx'), resealed]) {
      await overwrite(blobs, key, Buffer.from(text));
      const warnings: string[] = [];
      const registry = open(blobs, { onWarning: (message) => warnings.push(message) });
      assert.deepEqual(await registry.model(CHURN), whole);
      await registry.model(CHURN);
      assert.equal(warnings.length, 1, `${text.slice(0, 30)}: ${warnings.join('; ')}`);
    }
  });

  test('that cannot be written fail no publication', async () => {
    const inner = createMemoryBlobStore();
    const blobs: BlobStore = {
      ...inner,
      write: async (key, body, options) => {
        if (key.includes('/heads/')) throw new IngotError('forbidden', 'no heads here');
        return inner.write(key, body, options);
      },
    };
    const warnings: string[] = [];
    const registry = open(blobs, { onWarning: (message) => warnings.push(message) });
    await published(registry, ...Array.from({ length: 10 }, (_, n) => `${n}`));
    assert.equal(await numberOf(open(inner), 'churn'), 10);
    assert.equal(warnings.length, 1);
  });
});

describe('requests', () => {
  test('resolving again asks for the next event of two logs and nothing else', async () => {
    const blobs = observedBlobs(createMemoryBlobStore());
    const registry = open(blobs);
    await published(registry, 'a');
    await registry.setAlias(CHURN, 'production', 1);
    blobs.requests.length = 0;
    await registry.resolve(ref('churn@production'));
    assert.deepEqual(blobs.requests.map((request) => request.replace(/churn-\w+/, 'churn')).sort(), [
      'stat models/churn/log/0000000003.json',
      'stat names/log/0000000002.json',
    ]);
  });

  test('listing with what was remembered asks each model for one event', async () => {
    const inner = createMemoryBlobStore();
    const memory = memoryOfOneMachine();
    const first = open(inner, { memory });
    await published(first, 'a', 'b');
    await first[Symbol.asyncDispose]();
    const blobs = observedBlobs(inner);
    const models = await all(open(blobs, { memory }).models());
    assert.equal(models[0]?.latest?.number, 2);
    const requests = blobs.requests.filter((request) => request.includes('models/'));
    assert.equal(requests.length, 1, requests.join(', '));
  });

  test('a listing that was left in the store counts only while it is up to date', async () => {
    const blobs = createMemoryBlobStore();
    const names = Array.from({ length: 120 }, (_, n) => `model-${n}`);
    const writer = open(blobs);
    for (const name of names) {
      const { name: checked } = ref(name);
      await writer.ensureModel(checked);
      await writer.publish(checked, draftOf(name));
    }
    const listed = await all(open(blobs).models());
    const [left = ''] = await keysOf(blobs, 'index/models/');
    assert.notEqual(left, '');
    const observed = observedBlobs(blobs);
    assert.deepEqual(await all(open(observed).models()), listed);
    assert.equal(observed.requests.filter((request) => request.startsWith('read models/')).length, 0);
    await writer.publish(ref('model-7').name, draftOf('newer'));
    const again = await all(open(blobs).models());
    assert.equal(again.find(({ name }) => name === 'model-7')?.latest?.number, 2);
    await overwrite(blobs, left, Buffer.from('damaged'));
    assert.deepEqual(await all(open(blobs).models()), again);
  });
});

test('a model whose deletion was cut short can be made again', async () => {
  const blobs = createMemoryBlobStore();
  await published(open(blobs), 'a');
  await append(blobs, 'closed', {});
  await failsWith('model-not-found', () => open(blobs).resolve(ref('churn')));
  await published(open(blobs), 'b');
  assert.equal(await numberOf(open(blobs), 'churn'), 1);
  assert.deepEqual((await keysOf(blobs, 'names/log/')).length, 3);
});

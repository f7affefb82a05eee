import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { bodyOf, collect } from './bytes.ts';
import { failsWith, keysOf } from './conformance/case.ts';
import { type FileSystem, type LocalFile, nodeFileSystem, PRIVATE_MODES } from './local/file-system.ts';
import { createLocalBlobStore } from './local.ts';

let base = '';
let made = 0;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-blobs-'));
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

function freshDirectory(): string {
  made += 1;
  return join(base, `store-${made}`);
}

describe('the local store', () => {
  test('writes ordinary keys as plain paths, so that other tools find them', async () => {
    const directory = freshDirectory();
    const store = createLocalBlobStore(directory);
    await store.write('models/churn-0a1b/log/0000000001.json', bodyOf('{}'));
    assert.equal((await stat(join(directory, 'models/churn-0a1b/log/0000000001.json'))).size, 2);
    assert.equal(
      await store.localPath?.('models/churn-0a1b/log/0000000001.json'),
      join(directory, 'models/churn-0a1b/log/0000000001.json'),
    );
    assert.equal(await store.localPath?.('models/none'), undefined);
  });

  test('makes its directory for its owner alone', async () => {
    const directory = freshDirectory();
    await createLocalBlobStore(directory).write('a/b', bodyOf('x'));
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
  });

  test('on a path that is a file says so, reading and writing', async () => {
    const path = freshDirectory();
    await writeFile(path, 'a file');
    const store = createLocalBlobStore(path);
    await failsWith(() => store.stat('ingot.json'), 'invalid-config');
    await failsWith(() => keysOf(store, ''), 'invalid-config');
    await failsWith(() => store.write('ingot.json', bodyOf('x')), 'invalid-config');
  });

  test('leaves no temporary files behind, whether a write succeeds, loses or fails', async () => {
    for (const hardLinks of ['auto', 'never'] as const) {
      const directory = freshDirectory();
      const store = createLocalBlobStore(directory, { hardLinks });
      await Promise.all(Array.from({ length: 20 }, (_, n) => store.write('key', bodyOf(`${n}`))));
      await failsWith(() => store.write('other', { ...bodyOf('short'), sizeBytes: 9 }), 'integrity');
      assert.deepEqual(await readdir(join(directory, '.tmp')), []);
    }
  });

  test('removes temporary files of dead writers and keeps young ones', async () => {
    const directory = freshDirectory();
    await createLocalBlobStore(directory).write('first', bodyOf('1'));
    await writeFile(join(directory, '.tmp/dead'), 'half a pack');
    await writeFile(join(directory, '.tmp/alive'), 'half a pack');
    await mkdir(join(directory, '.tmp/dead.d'));
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    await utimes(join(directory, '.tmp/dead'), longAgo, longAgo);
    await utimes(join(directory, '.tmp/dead.d'), longAgo, longAgo);
    await createLocalBlobStore(directory).write('second', bodyOf('2'));
    assert.deepEqual(await readdir(join(directory, '.tmp')), ['alive']);
  });

  test('a writer whose temporary file was taken for dead fails and can repeat', async () => {
    for (const hardLinks of ['auto', 'never'] as const) {
      const directory = freshDirectory();
      const store = createLocalBlobStore(directory, { hardLinks });
      const slow = {
        sizeBytes: 5,
        open: async function* () {
          yield Buffer.from('hello');
          for (const name of await readdir(join(directory, '.tmp'))) await rm(join(directory, '.tmp', name));
        },
      };
      await failsWith(() => store.write('key', slow), 'unavailable');
      assert.equal(await store.stat('key'), undefined);
      assert.deepEqual(await keysOf(store, ''), []);
      assert.equal(await store.write('key', bodyOf('again')), 'created');
    }
  });

  test('lists neither hidden files nor files that no key has', async () => {
    const directory = freshDirectory();
    const store = createLocalBlobStore(directory);
    await store.write('packs/a', bodyOf('x'));
    for (const name of ['.DS_Store', 'Thumbs.db', 'packs/.nfs0001', 'packs/%41%2f', 'packs/%61'])
      await writeFile(join(directory, name), '');
    assert.deepEqual(await keysOf(store, ''), ['packs/a']);
  });

  test('a name made with a link and one made with a directory cannot both be created', async () => {
    for (const [first, second] of [
      ['auto', 'never'],
      ['never', 'auto'],
    ] as const) {
      const directory = freshDirectory();
      const one = createLocalBlobStore(directory, { hardLinks: first });
      const two = createLocalBlobStore(directory, { hardLinks: second });
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : two).write('log/1', bodyOf(`${n}`))),
      );
      assert.equal(results.filter((result) => result === 'created').length, 1);
      assert.equal(String(await collect(two.read('log/1'))), String(results.indexOf('created')));
      assert.deepEqual(await keysOf(one, 'log/'), ['log/1']);
    }
  });

  test('what was missing a moment ago is found as soon as it is there, and a store that went away is told', async () => {
    const directory = freshDirectory();
    const [store, other] = [createLocalBlobStore(directory), createLocalBlobStore(directory)];
    await store.write('log/1', bodyOf('x'));
    for (let n = 0; n < 3; n += 1) assert.equal(await store.stat('log/2'), undefined);
    await other.write('log/2', bodyOf('yy'));
    assert.equal((await store.stat('log/2'))?.sizeBytes, 2);
    for (let n = 0; n < 2; n += 1) assert.equal(await store.stat('log/3'), undefined);
    await rename(directory, `${directory}-unmounted`);
    await failsWith(() => store.stat('log/3'), 'unavailable');
  });

  test('a store directory that goes away is unavailable, not empty, and is not made again', async () => {
    const directory = freshDirectory();
    const store = createLocalBlobStore(directory);
    await store.write('models/a', bodyOf('x'));
    await rename(directory, `${directory}-unmounted`);
    await failsWith(() => store.stat('models/a'), 'unavailable');
    await failsWith(() => collect(store.read('models/a')), 'unavailable');
    await failsWith(() => keysOf(store, ''), 'unavailable');
    await failsWith(() => store.write('models/b', bodyOf('x')), 'unavailable');
    await assert.rejects(stat(directory));
    await rename(`${directory}-unmounted`, directory);
    assert.equal(await store.write('models/b', bodyOf('x')), 'created');
  });

  test('a key under another blob, or over other blobs, is refused by name', async () => {
    for (const hardLinks of ['auto', 'never'] as const) {
      const store = createLocalBlobStore(freshDirectory(), { hardLinks });
      await store.write('a/b', bodyOf('x'));
      await failsWith(() => store.write('a', bodyOf('x')), 'usage');
      await failsWith(() => store.write('a/b/c', bodyOf('x')), 'usage');
      assert.deepEqual(await keysOf(store, ''), ['a/b']);
    }
  });

  test('a segment too long for a file name is refused', async () => {
    const store = createLocalBlobStore(freshDirectory());
    await failsWith(() => store.write('x'.repeat(256), bodyOf('x')), 'usage');
    assert.equal(await store.write('x'.repeat(255), bodyOf('x')), 'created');
  });

  test('a deleted upload leaves no directory of its own, and those that the next one needs', async () => {
    const directory = freshDirectory();
    const store = createLocalBlobStore(directory);
    const key = `roots/uploads/${'0123456789abcdef'.repeat(2)}/0.json`;
    await store.write(key, bodyOf('{}'));
    await store.delete(key);
    assert.deepEqual(await readdir(join(directory, 'roots/uploads')), []);
    assert.equal(await store.write(key, bodyOf('{}')), 'created');
  });

  test('what is expendable is whole and there only once, and nothing is flushed for it', async () => {
    let flushed = 0;
    const files = nodeFileSystem(PRIVATE_MODES);
    const counted = <File extends Pick<LocalFile, 'sync'>>(file: File): File => {
      const sync = file.sync.bind(file);
      file.sync = async () => {
        flushed += 1;
        await sync();
      };
      return file;
    };
    const fileSystem: FileSystem = {
      ...files,
      flushDirectory: undefined,
      open: async (path) => counted(await files.open(path)),
      create: async (path) => counted(await files.create(path)),
    };
    const store = createLocalBlobStore(freshDirectory(), { fileSystem });
    await store.write('changes/a', bodyOf('x'));
    const before = flushed;
    assert.equal(await store.write('changes/202601010000/b', bodyOf('hint'), { expendable: true }), 'created');
    assert.equal(await store.write('changes/202601010000/b', bodyOf('other'), { expendable: true }), 'exists');
    assert.equal(flushed, before);
    assert.equal((await collect(store.read('changes/202601010000/b'))).toString(), 'hint');
    await store.write('changes/202601010000/c', bodyOf('y'));
    assert.ok(flushed > before);
  });

  test('writing beside deletions that prune directories never fails', async () => {
    const store = createLocalBlobStore(freshDirectory());
    const other = createLocalBlobStore(store.address);
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        await store.write(`busy/place/${n}`, bodyOf('x'));
        await other.delete(`busy/place/${n}`);
      }),
    );
    assert.deepEqual(await keysOf(store, ''), []);
  });
});

describe('a blob that another process deletes', () => {
  test('just when it was found to exist is no failure, and can be written again', async () => {
    const directory = freshDirectory();
    const other = createLocalBlobStore(directory);
    const files = nodeFileSystem(PRIVATE_MODES);
    let isArmed = false;
    const store = createLocalBlobStore(directory, {
      fileSystem: {
        ...files,
        flushDirectory: undefined,
        open: async (path) => {
          if (isArmed && path === join(directory, 'gc')) {
            isArmed = false;
            await other.delete('gc/a.json');
          }
          return await files.open(path);
        },
      },
    });
    assert.equal(await store.write('gc/a.json', bodyOf('x')), 'created');
    isArmed = true;
    assert.equal(await store.write('gc/a.json', bodyOf('x')), 'exists');
    assert.equal(isArmed, false);
    assert.equal(await store.write('gc/a.json', bodyOf('x')), 'created');
  });
});

import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createLocalBlobStore } from './blob/local.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { pull } from './pull.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const released = fileURLToPath(new URL('../../../compat/store-0.1', import.meta.url));

test('a store that 0.1 wrote is read as it was: aliases, labels, history and every byte', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-compat-'));
  try {
    await cp(released, join(directory, 'store'), { recursive: true });
    const blobs = createLocalBlobStore(join(directory, 'store'));
    await using registry = openLogRegistry({ blobs, actor: 'test' });
    const notes = await registry.model(parseModelName('notes'));
    expect(notes.aliases).toEqual({ production: 1 });
    expect(notes.all.map(({ number, label, metrics }) => [number, label, metrics])).toEqual([
      [2, '1.1', { auc: 0.9 }],
      [1, '1.0', undefined],
    ]);
    const history: string[] = [];
    for await (const { kind, reason } of registry.history(notes.name))
      history.push(reason === undefined ? kind : `${kind}: ${reason}`);
    expect(history).toEqual([
      'version-published',
      'alias-set',
      'version-published',
      'alias-set: better',
      'alias-set: not better',
    ]);
    const contents = createBlobContentStore(blobs);
    const output = join(directory, 'out');
    const { resolved } = await pull('notes@production', { registry, contents, output });
    expect(resolved.number).toBe(1);
    expect(await readFile(join(output, 'weights.bin'), 'utf8')).toBe('weights\n');
    const digits = join(directory, 'digits');
    await pull('team/digits:1', { registry, contents, output: digits });
    const original = await readFile(
      fileURLToPath(new URL('../../../examples/onnx-digits/digits.onnx', import.meta.url)),
    );
    expect(await readFile(join(digits, 'digits.onnx'))).toEqual(original);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

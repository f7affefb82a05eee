import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { PackagePlan } from '../package.ts';
import { readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';

async function planOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<PackagePlan> {
  await using directory = await testDirectory();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(directory.join('model', name)), { recursive: true });
    await writeFile(directory.join('model', name), content);
  }
  return await readPackage(directory.join('model'), { name: 'hub' });
}

function safetensors(header: object): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(8)]);
}

const WEIGHTS = safetensors({
  __metadata__: { format: 'pt' },
  w: { dtype: 'BF16', shape: [2, 2], data_offsets: [0, 8] },
});

/** A zip file of empty stored entries: what a detector reads of one are the names. */
function archive(...names: string[]): Buffer {
  const entries = names.map((name) => {
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(name.length, 26);
    return Buffer.concat([head, Buffer.from(name)]);
  });
  const central = names.map((name) => {
    const head = Buffer.alloc(46);
    head.writeUInt32LE(0x02014b50, 0);
    head.writeUInt16LE(name.length, 28);
    return Buffer.concat([head, Buffer.from(name)]);
  });
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  return Buffer.concat([...entries, ...central, end]);
}

test('a folder of transformers is served at the version that wrote it, and executes nothing', async () => {
  const config = { model_type: 'bert', architectures: ['BertModel'], transformers_version: '4.57.1' };
  const plan = await planOf({ 'config.json': JSON.stringify(config), 'model.safetensors': WEIGHTS });
  expect(plan).toMatchObject({ flavor: 'transformers', executesCode: false });
  expect(plan.requirements).toContain('transformers==4.57.1');
  expect(plan.inferred).toContainEqual({ what: 'model', value: 'BertModel', from: 'config.json' });
});

test('weights of transformers that are a pickle execute code', async () => {
  const plan = await planOf({
    'config.json': '{"model_type": "bert"}',
    'pytorch_model.bin': archive('archive/data.pkl'),
  });
  expect(plan).toMatchObject({ flavor: 'transformers', executesCode: true });
});

test('a config.json without weights of the Hub is no model of transformers', async () => {
  expect((await planOf({ 'config.json': '{"model_type": "bert"}', 'notes.bin': 'x' })).flavor).toBe('file');
});

test('modules.json makes it sentence-transformers, though config.json lies beside it', async () => {
  const modules = [{ idx: 0, path: '', type: 'sentence_transformers.models.Transformer' }];
  const plan = await planOf({
    'modules.json': JSON.stringify(modules),
    'config.json': '{"model_type": "bert"}',
    'model.safetensors': WEIGHTS,
  });
  expect(plan.flavor).toBe('sentence-transformers');
});

test.each([
  ['CrossEncoder', undefined],
  ['SentenceTransformer', ['text']],
])('a %s takes the inputs %s', async (kind, inputs) => {
  const plan = await planOf({
    'modules.json': '[{"type": "sentence_transformers.base.modules.transformer.Transformer"}]',
    'config_sentence_transformers.json': JSON.stringify({ model_type: kind }),
    'config.json': '{"model_type": "bert"}',
    'model.safetensors': WEIGHTS,
  });
  expect(plan.signature?.inputs.map(({ name }) => name)).toEqual(inputs);
});

test('an adapter names the base model that it changes', async () => {
  const config = { peft_type: 'LORA', base_model_name_or_path: 'org/bert' };
  const plan = await planOf({ 'adapter_config.json': JSON.stringify(config), 'adapter_model.safetensors': WEIGHTS });
  expect(plan.flavor).toBe('peft');
  expect(plan.inferred).toContainEqual({ what: 'base model', value: 'org/bert', from: 'adapter_config.json' });
});

test.each([
  ['org/bert', false],
  ['gpt2', false],
  ['/srv/bert', true],
  ['../bert', true],
  ['', true],
  [null, true],
])('an adapter of %s: is it said at once that only who allows the base can serve it? %s', async (base, warned) => {
  const config = { peft_type: 'LORA', base_model_name_or_path: base };
  const plan = await planOf({ 'adapter_config.json': JSON.stringify(config), 'adapter_model.safetensors': WEIGHTS });
  expect(plan.problems.some(({ rule }) => rule === 'peft.base-elsewhere')).toBe(warned);
});

test('model_index.json makes it a pipeline of diffusers, whatever its parts are', async () => {
  const plan = await planOf({
    'model_index.json': '{"_class_name": "DDPMPipeline", "_diffusers_version": "0.35.2"}',
    'unet/config.json': '{"model_type": "unet"}',
    'unet/diffusion_pytorch_model.safetensors': WEIGHTS,
  });
  expect(plan).toMatchObject({ flavor: 'diffusers', executesCode: false });
  expect(plan.requirements).toContain('diffusers==0.35.2');
});

test.each([
  ['model.pt', ['m/data.pkl', 'm/code/m.py', 'm/constants.pkl'], 'the TorchScript archive model.pt', true],
  ['model.pt2', ['m/archive_format', 'm/models/model.json'], 'the exported program model.pt2', true],
  ['last.ckpt', ['last/data.pkl', 'last/data/0'], 'the checkpoint last.ckpt', true],
])('%s is known by the names in its archive', async (name, names, from, executesCode) => {
  const plan = await planOf({ [name]: archive(...names) });
  expect(plan).toMatchObject({ flavor: 'torch', executesCode });
  expect(plan.inferred).toContainEqual({ what: 'flavor', value: 'torch', from });
});

test('bare safetensors tell their tensors, and that they cannot be served alone', async () => {
  const plan = await planOf({ 'weights.safetensors': WEIGHTS });
  expect(plan).toMatchObject({ flavor: 'torch', executesCode: false });
  expect(plan.inferred).toContainEqual({ what: 'weights', value: '1 tensors of BF16', from: 'weights.safetensors' });
  expect(plan.problems.map(({ rule }) => rule)).toContain('torch.weights-only');
});

test('a file that is only called safetensors is stored as it is', async () => {
  expect((await planOf({ 'weights.safetensors': 'no header' })).flavor).toBe('file');
});

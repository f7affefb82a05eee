import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openForeign } from '../foreign/open-foreign.ts';
import { readRows } from '../foreign/csv.ts';
import { readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';
import { FlatTable } from './flatbuffer.ts';
import { readUbjson } from './ubjson.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

const HUGE = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0x80]);
const DEEP = '['.repeat(200_000);
const header = Buffer.from('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(header.length));

/** One sound file of each family that is not packed. */
const SOUND: readonly (readonly [string, Buffer])[] = [
  ['model.safetensors', Buffer.concat([length, header, Buffer.alloc(4)])],
  [
    'model.txt',
    Buffer.from(
      'tree\nversion=v4\nnum_class=1\nfeature_names=a b\nobjective=binary\n\nTree=0\n\npandas_categorical:[["u"]]\n',
    ),
  ],
  [
    'model.ubj',
    Buffer.from(
      '{L\0\0\0\0\0\0\0\x07learner{L\0\0\0\0\0\0\0\x0dfeature_names[#L\0\0\0\0\0\0\0\x01SL\0\0\0\0\0\0\0\x01a}}',
      'latin1',
    ),
  ],
  ['model.cbm', Buffer.concat([Buffer.from('CBM1'), Buffer.alloc(4), Buffer.from([16, 0, 0, 0]), Buffer.alloc(64, 4)])],
  ['model.pkl', Buffer.from('\x80\x04\x8c\x1asklearn.linear_model._base\x8c\x10LinearRegression\x93)\x81.', 'latin1')],
  ['model.json', Buffer.from('{"growth": "linear", "extra_regressors": [["a"], {}], "__prophet_version": "1.1.5"}')],
  ['saved_model.pb', Buffer.from([18, 6, 42, 4, 10, 2, 97, 98])],
  ['config.json', Buffer.from('{"model_type": "bert", "architectures": ["BertModel"]}')],
];

/** Reads a folder as a push does; whatever it is, it is a package. */
async function read(files: Files): Promise<string> {
  await using directory = await testDirectory();
  await directory.write(Object.fromEntries(Object.entries(files).map(([path, content]) => [`in/${path}`, content])));
  await using foreign = await openForeign(directory.join('in'), { scratch: directory.path });
  return (await readPackage(directory.join('in'), foreign === undefined ? {} : { foreign })).flavor;
}

test.each<[string, Files]>([
  ['a header of 2^63 bytes', { 'model.safetensors': Buffer.concat([HUGE, Buffer.from('{}')]) }],
  [
    'a header that nests without end',
    { 'model.safetensors': Buffer.concat([Buffer.from([0x40, 0x0d, 3, 0, 0, 0, 0, 0]), Buffer.from(`{"a":${DEEP}`)]) },
  ],
  ['a description that nests without end', { 'config.json': DEEP, 'model.safetensors': 'x' }],
  ['a flavor.json that nests without end', { 'flavor.json': DEEP, 'a.bin': 'x' }],
  ['text of one line without end', { 'model.txt': `tree\nversion=v4\nfeature_names=${'a '.repeat(400_000)}` }],
])('a file with %s is stored', async (_, files) => {
  await expect(read(files)).resolves.toMatch(/^(?:file|lightgbm|torch)$/);
});

test('a file with any bytes changed is still a package', async () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  const property = fc.asyncProperty(
    fc.constantFrom(...SOUND),
    fc.array(change, { minLength: 1, maxLength: 5 }),
    async ([path, sound], changes) => {
      const bytes = Buffer.from(sound);
      for (const { at, byte } of changes) bytes[Math.floor(at * bytes.length)] = byte;
      await read({ [path]: bytes, 'model.bin': 'x' });
    },
  );
  await fc.assert(property, { numRuns: 100 });
});

test('a list that says it holds 2^62 values without bytes holds none', () => {
  const count = Buffer.from([0x40, 0, 0, 0, 0, 0, 0, 0]);
  for (const type of 'TFZN') {
    const bytes = Buffer.concat([Buffer.from(`{L\0\0\0\0\0\0\0\x01a[$${type}#L`, 'latin1'), count]);
    expect(readUbjson(bytes)).toEqual({});
  }
});

test('fields that share one long text are not read many times', () => {
  // A table whose 20 fields all point to one text of 1,000 bytes.
  const bytes = Buffer.alloc(1200, 97);
  bytes.writeUInt32LE(60, 0);
  bytes.writeUInt16LE(4 + 2 * 20, 4);
  for (let field = 0; field < 20; field++) bytes.writeUInt16LE(4 + 4 * field, 8 + 2 * field);
  bytes.writeInt32LE(60 - 4, 60);
  for (let field = 0; field < 20; field++) bytes.writeUInt32LE(160 - (64 + 4 * field), 64 + 4 * field);
  bytes.writeUInt32LE(1000, 160);
  const table = FlatTable.root(bytes, 0);
  expect(table.text(0)).toHaveLength(1000);
  expect(() => Array.from({ length: 20 }, (_, field) => table.text(field))).toThrow('share one long text');
});

test('a cell of four million signs and a card of comments that never end take no time', async () => {
  const began = process.cpuUsage();
  expect(readRows(`a,b\n"${'x'.repeat(4_000_000)}",1\n`, 'rows.csv')).toHaveLength(1);
  await read({ 'README.md': `---\nlicense: mit\n---\n${'<!--'.repeat(200_000)}`, 'model.bin': 'x' });
  expect(process.cpuUsage(began).user).toBeLessThan(4_000_000);
});

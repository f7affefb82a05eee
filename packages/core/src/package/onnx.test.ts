import { writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readOnnx } from './onnx.ts';
import { protobufField as f, protobufMessage as message, testDirectory, tinyOnnx } from './testing/fixtures.ts';

async function read(bytes: Uint8Array): ReturnType<typeof readOnnx> {
  await using directory = await testDirectory();
  await writeFile(directory.join('m.onnx'), bytes);
  return await readOnnx(directory.join('m.onnx'), 'm.onnx');
}

test('inputs, outputs, operator sets and producer are read, and initializers are no inputs', async () => {
  const { graph, problems } = await read(tinyOnnx());
  expect(problems).toEqual([]);
  expect(graph).toMatchObject({ irVersion: 10, producer: 'test 1.0', opsets: { 'ai.onnx': 21 } });
  expect(graph?.signature).toEqual({
    inputs: [{ name: 'X', type: 'tensor', dtype: 'FP32', shape: [-1, 4] }],
    outputs: [{ name: 'Y', type: 'tensor', dtype: 'FP32', shape: [-1, 4] }],
    origin: 'graph',
  });
});

test('weights of any size are stepped over', async () => {
  const { graph } = await read(tinyOnnx(new Uint8Array(3 * 1024 * 1024)));
  expect(graph?.signature.inputs).toHaveLength(1);
});

test('a sequence of maps is named as such and gives a warning, not a crash', async () => {
  const int64 = message(f(1, message(f(1, 7))));
  const float = message(f(1, message(f(1, 1))));
  const map = message(f(5, message(f(1, 7), f(2, float))));
  const outputs = [
    f(12, message(f(1, 'label'), f(2, int64))),
    f(12, message(f(1, 'probabilities'), f(2, message(f(4, message(f(1, map))))))),
    f(12, message(f(1, 'half'), f(2, message(f(1, message(f(1, 16))))))),
  ];
  const { graph, problems } = await read(message(f(7, message(f(11, message(f(1, 'X'), f(2, float))), ...outputs))));
  expect(graph?.signature.outputs).toEqual([
    { name: 'label', type: 'tensor', dtype: 'INT64' },
    { name: 'probabilities', type: 'tensor', format: 'sequence(map(INT64, FP32))' },
    { name: 'half', type: 'tensor', format: 'tensor of BF16' },
  ]);
  expect(problems.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual([
    'warning onnx.not-a-tensor',
    'warning onnx.not-a-tensor',
  ]);
});

test('every cut of a model is a problem or a smaller model, never a crash', async () => {
  const whole = tinyOnnx();
  for (let length = 0; length < whole.length; length++) {
    const { graph, problems } = await read(whole.subarray(0, length));
    if (graph === undefined) expect(problems).toMatchObject([{ severity: 'error', rule: 'onnx.malformed' }]);
  }
});

test('random bytes and flipped bytes never crash the reader', async () => {
  const whole = tinyOnnx();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.nat(255),
      fc.uint8Array({ maxLength: 64 }),
      async (at, byte, tail) => {
        const bytes = Buffer.concat([whole, tail]);
        bytes[at] = byte;
        await read(bytes);
      },
    ),
    { numRuns: 100 },
  );
});

test('types that nest without end are refused', async () => {
  let type: Uint8Array = message(f(1, message(f(1, 1))));
  for (let depth = 0; depth < 40; depth++) type = message(f(4, message(f(1, type))));
  const { problems } = await read(message(f(7, message(f(12, message(f(1, 'Y'), f(2, type)))))));
  expect(problems).toMatchObject([{ rule: 'onnx.malformed' }]);
});

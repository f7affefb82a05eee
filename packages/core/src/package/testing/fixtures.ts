import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A directory for one test, gone when the block ends. */
export interface TestDirectory extends AsyncDisposable {
  readonly path: string;
  /** Writes files below it, making folders. */
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
  join(...parts: readonly string[]): string;
}

/** Makes an empty directory of a test's own. */
export async function testDirectory(): Promise<TestDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'ingot-test-'));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    async write(files) {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), content);
      }
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** The hand-written package of the documentation; the pickle is that of a fitted scikit-learn pipeline in spirit only. */
export const CHURN: Readonly<Record<string, string | Uint8Array>> = {
  'model.pkl': Buffer.from('\x80\x04\x8c\x10sklearn.pipeline\x8c\x08Pipeline\x93)\x81.', 'latin1'),
  'requirements.txt': 'scikit-learn==1.9.1\npandas==3.0.1\n',
  'interface.py': `import pickle
from pathlib import Path

import pandas as pd

PACKAGE = Path(__file__).parent


class ChurnModel:
    def __init__(self) -> None:
        with open(PACKAGE / "model.pkl", "rb") as file:
            self.model = pickle.load(file)

    def predict(self, rows: pd.DataFrame):
        return self.model.predict_proba(rows)[:, 1]


def load_model() -> ChurnModel:
    return ChurnModel()
`,
  'metadata.yaml': `name: Example Model
version: 1.0
description: A model that predicts the probability of a customer churning.
author: Example Author
created_date: 2023-03-01
trained_on_data: churn_data.csv
input_features:
- name: tenure
  type: float
- name: payment_method
  type: categorical
  categories: ['Credit Card', 'Debit Card', 'PayPal']
output:
- name: churn_probability
  type: float
  format: percentage
hyperparameters:
  optimizer: Adam
  learning_rate: 0.001
  dropout: 1.0
environment_variables:
- name: TOKENIZERS_PARALLELISM
  default: "false"
`,
};

/** One field of a protobuf message: a varint, or bytes. */
export function protobufField(number: number, value: number | string | Uint8Array): Uint8Array {
  if (typeof value === 'number') return Buffer.concat([varint(number * 8), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

/** A protobuf message of some fields. */
export function protobufMessage(...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

/** An ONNX model with one float input `X` of [batch, 4], a weight `W`, and one float output `Y`. */
export function tinyOnnx(weight: Uint8Array = new Uint8Array(16)): Uint8Array {
  const f = protobufField;
  const shape = protobufMessage(f(1, f(2, 'batch')), f(1, f(1, 4)));
  const tensor = (name: string): Uint8Array =>
    protobufMessage(f(1, name), f(2, f(1, protobufMessage(f(1, 1), f(2, shape)))));
  const initializer = protobufMessage(f(1, 4), f(2, 1), f(9, weight), f(8, 'W'));
  const graph = protobufMessage(
    f(2, 'g'),
    f(5, initializer),
    f(11, tensor('X')),
    f(11, tensor('W')),
    f(12, tensor('Y')),
  );
  return protobufMessage(f(1, 10), f(2, 'test'), f(3, '1.0'), f(7, graph), f(8, protobufMessage(f(2, 21))));
}

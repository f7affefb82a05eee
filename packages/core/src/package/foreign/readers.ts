import { readBentoml } from './bentoml.ts';
import type { ForeignReader } from './foreign.ts';
import { readHuggingFace } from './hugging-face.ts';
import { readMlflow } from './mlflow.ts';
import { readModelstore } from './modelstore.ts';
import { readOpenlayer } from './openlayer.ts';
import { readTorchserve } from './torchserve.ts';
import { readWheel } from './wheel.ts';

/** Who recognises what other systems write, in the order in which they are asked. One file a system. */
export const READERS: readonly ForeignReader[] = [
  readMlflow,
  readBentoml,
  readTorchserve,
  readWheel,
  readModelstore,
  readOpenlayer,
  readHuggingFace,
];

/** Names at the top of a folder without which no reader has anything to do. */
export const MARKERS =
  /^(?:MLmodel|model\.yaml|model-info\.json|prediction_interface\.py|README\.md|MAR-INF|.+\.dist-info)$/;

/** Archives that are looked into; others are models in a format of their own, or just files. */
export const ARCHIVES = /\.(?:mar|whl|bentomodel|tgz|tar|tar\.gz|tar\.xz|zip)$/i;

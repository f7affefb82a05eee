import type { JsonObject, JsonValue } from '@ingot/core/json';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { ServedVersion } from '../../model-host.ts';
import { compileRowDecoder } from '../rows/row-decoder.ts';
import { exampleRow } from '../signature/example-row.ts';
import { elementsToJson } from '../tensors/to-json.ts';

/**
 * The example row of a version as a request of the Open Inference Protocol; undefined where there is none, or where it
 * does not fit the signature (a version is described, not judged, here).
 */
export function inferExample(served: ServedVersion): JsonObject | undefined {
  const row = exampleRow(served);
  if (row === undefined) return undefined;
  try {
    return { inputs: compileRowDecoder(served)([row]).map(inputOf) };
  } catch {
    return undefined;
  }
}

function inputOf(tensor: Tensor): JsonObject {
  const data: JsonValue = JSON.parse(`[${elementsToJson(tensor).text}]`);
  return { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape, data };
}

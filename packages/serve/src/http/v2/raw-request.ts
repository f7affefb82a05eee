import { IngotError } from '@ingot/core/errors';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { datatypeOf, shapeOf } from '../signature/datatype.ts';
import { tensorFromBinary } from '../tensors/binary.ts';
import { layoutOf } from '../tensors/layout.ts';

/**
 * Makes the one tensor of a request whose body is nothing but raw bytes (`Inference-Header-Content-Length: 0`). The one
 * variable dimension follows from the size; a BYTES body is one element.
 * @throws IngotError `invalid-request` when the model has not exactly one input or the size fits no shape.
 */
export function tensorFromRawBody(features: readonly Feature[], body: Buffer): Tensor {
  const [feature] = features;
  if (features.length !== 1 || feature === undefined) {
    throw new IngotError(
      'invalid-request',
      `a body of raw bytes is for models with one known input; this one has ${features.length === 0 ? 'no signature' : features.length}`,
    );
  }
  const datatype = datatypeOf(feature);
  const declared = shapeOf(feature);
  const elements = datatype === 'BYTES' ? 1 : body.length / layoutOf(datatype).elementBytes;
  const known = declared.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const variable = declared.filter((size) => size === -1).length;
  const size = known === 0 ? 0 : elements / known;
  if (variable > 1 || !Number.isSafeInteger(size) || (variable === 0 && size !== 1)) {
    throw new IngotError(
      'invalid-request',
      `${body.length} raw bytes of ${datatype} do not fill the shape [${declared.join(', ')}]; send a JSON header with a shape`,
    );
  }
  const shape = declared.map((length) => (length === -1 ? size : length));
  if (datatype === 'BYTES') return { name: feature.name, datatype, shape, data: [body] };
  return tensorFromBinary(feature.name, datatype, shape, elements, body);
}

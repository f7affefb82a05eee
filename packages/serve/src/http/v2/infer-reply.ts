import { IngotError } from '@ingot/core/errors';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { ServedVersion } from '../../model-host.ts';
import type { Reply } from '../reply.ts';
import { tensorToBinary } from '../tensors/binary.ts';
import { elementsToJson } from '../tensors/to-json.ts';
import type { InferRequest, RequestedOutput } from './infer-request.ts';

/**
 * Writes output tensors as an inference reply: JSON, or JSON with the raw tensors that were asked for behind it.
 * @throws IngotError `invalid-request` when an output was asked for that the model does not have.
 */
export function encodeInferReply(
  served: ServedVersion,
  request: Omit<InferRequest, 'inputs'>,
  outputs: readonly Tensor[],
): Reply {
  const chosen =
    request.outputs === undefined
      ? outputs.map((tensor) => ({ tensor, binary: request.binary }))
      : choose(request.outputs, outputs);
  const raw: Uint8Array[] = [];
  const written = chosen.map(({ tensor, binary }) => {
    if (!binary) return outputText(tensor, jsonData(tensor));
    const bytes = tensorToBinary(tensor);
    raw.push(bytes);
    return outputText(tensor, `"parameters":{"binary_data_size":${bytes.byteLength}}`);
  });
  const id = request.id === undefined ? '' : `"id":${JSON.stringify(request.id)},`;
  const json = `{${id}"model_name":${JSON.stringify(served.model)},"model_version":${JSON.stringify(served.version)},"outputs":[${written.join(',')}]}`;
  if (raw.length === 0) return { body: json };
  const header = Buffer.from(json);
  return {
    contentType: 'application/octet-stream',
    body: Buffer.concat([header, ...raw]),
    headers: ['inference-header-content-length', String(header.length)],
  };
}

function choose(
  requested: readonly RequestedOutput[],
  outputs: readonly Tensor[],
): readonly { tensor: Tensor; binary: boolean }[] {
  return requested.map(({ name, binary }) => {
    const tensor = outputs.find((output) => output.name === name);
    if (tensor !== undefined) return { tensor, binary };
    const known = outputs.map((output) => output.name);
    throw new IngotError(
      'invalid-request',
      `the model has no output "${name.slice(0, 80)}"; it has ${known.join(', ')}`,
      { details: { outputs: known } },
    );
  });
}

function outputText(tensor: Tensor, rest: string): string {
  return `{"name":${JSON.stringify(tensor.name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(',')}],${rest}}`;
}

function jsonData(tensor: Tensor): string {
  const { text, base64 } = elementsToJson(tensor);
  return `${base64 ? '"parameters":{"content_type":"base64"},' : ''}"data":[${text}]`;
}

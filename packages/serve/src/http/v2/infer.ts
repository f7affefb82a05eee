import { IngotError } from '@ingot/core/errors';
import type { ModelCodec } from '../codec.ts';
import type { Exchange } from '../exchange.ts';
import { parseJsonBody, withExactIntegers } from '../json-body.ts';
import { mediaType, readJsonBody } from '../media-type.ts';
import { answerPrediction } from '../prediction.ts';
import { readBody } from '../request-body.ts';
import { conformTensors } from '../signature/conform.ts';
import { encodeInferReply } from './infer-reply.ts';
import { type InferRequest, decodeInferRequest } from './infer-request.ts';
import { modelParam } from '../model-param.ts';
import { tensorFromRawBody } from './raw-request.ts';

const HEADER_LENGTH = 'inference-header-content-length';
const SUPPORTED = ['application/json', `application/octet-stream with ${HEADER_LENGTH}`];

/** `POST /v2/models/<model>[/versions/<version>]/infer`: the Open Inference Protocol, with binary tensors. */
export async function infer(exchange: Exchange): Promise<void> {
  const headerLength = exchange.header(HEADER_LENGTH);
  const type = mediaType(exchange);
  // Raw bytes are tensors only where the protocol's header says how to read them.
  const raw = headerLength !== undefined && type === 'application/octet-stream';
  const body = raw ? await readBody(exchange) : await readJsonBody(exchange, SUPPORTED);
  const decode = decoderOf(exchange, body, headerLength);
  let request: InferRequest | undefined;
  await answerPrediction(
    exchange,
    { model: modelParam(exchange), version: exchange.params.version },
    {
      decode(codec) {
        const decoded = decode(codec);
        request = decoded;
        assertOutputs(decoded, codec);
        const inputs = conformTensors(codec.model, codec.source, decoded.inputs);
        return decoded.method === undefined ? { inputs } : { inputs, method: decoded.method };
      },
      encode: (result, _codec, lease) => encodeInferReply(lease.served, request ?? { binary: false }, result.outputs),
    },
  );
}

function decoderOf(
  exchange: Exchange,
  body: Buffer,
  headerLength: string | undefined,
): (codec: ModelCodec) => InferRequest {
  if (headerLength === '0') return (codec) => ({ inputs: [tensorFromRawBody(codec.inputs, body)], binary: false });
  const length = headerLength === undefined ? body.length : jsonLength(headerLength, body.length);
  const json = parseJsonBody(body.subarray(0, length), exchange.context.limits);
  const raw = body.subarray(length);
  return () => withExactIntegers(json, (value) => decodeInferRequest(value, raw));
}

function jsonLength(header: string, bodyLength: number): number {
  const length = /^\d{1,12}$/.test(header) ? Number(header) : Number.NaN;
  if (length <= bodyLength) return length;
  throw new IngotError(
    'invalid-request',
    `${HEADER_LENGTH} is "${header.slice(0, 40)}", the body has ${bodyLength} bytes`,
  );
}

/** Refuses unknown outputs before the model is asked, where the signature knows them. */
function assertOutputs({ outputs, method }: InferRequest, codec: ModelCodec): void {
  if (outputs === undefined || method !== undefined || codec.outputs.length === 0) return;
  const known = codec.outputs.map((feature) => feature.name);
  const unknown = outputs.find(({ name }) => !known.includes(name));
  if (unknown === undefined) return;
  throw new IngotError(
    'invalid-request',
    `${codec.model} has no output "${unknown.name.slice(0, 80)}"; it has ${known.join(', ')}`,
    { details: { outputs: known } },
  );
}

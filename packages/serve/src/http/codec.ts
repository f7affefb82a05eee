import type { Predictor } from '@ingot/core/serving/runtime';
import type { Feature, Signature } from '@ingot/core/signature';
import type { Lease, ServedVersion } from '../model-host.ts';
import { type RowDecoder, compileRowDecoder } from './rows/row-decoder.ts';
import type { ExampleSource } from './signature/example-row.ts';

/** What is worked out once for a loaded version and used by each of its requests. */
export interface ModelCodec {
  readonly model: string;
  readonly source: ExampleSource;
  readonly inputs: readonly Feature[];
  readonly outputs: readonly Feature[];
  readonly decodeRows: RowDecoder;
  /** `"model":…,"version":…,"digest":…` of a `/predict` answer. */
  readonly identity: string;
}

const codecs = new WeakMap<Predictor, ModelCodec>();

/** The codec of a leased version. */
export function codecOf(lease: Lease): ModelCodec {
  const known = codecs.get(lease.predictor);
  if (known !== undefined) return known;
  const codec = makeCodec(lease.served, signatureOf(lease));
  codecs.set(lease.predictor, codec);
  return codec;
}

/** The signature as it is known after loading, else as the package says it. */
export function signatureOf(lease: Lease): Signature | undefined {
  return lease.predictor.signature ?? lease.served.signature;
}

function makeCodec(served: ServedVersion, signature: Signature | undefined): ModelCodec {
  const source = {
    ...(signature === undefined ? {} : { signature }),
    ...(served.example === undefined ? {} : { example: served.example }),
  };
  return {
    model: served.model,
    source,
    inputs: signature?.inputs ?? [],
    outputs: signature?.outputs ?? [],
    decodeRows: compileRowDecoder({ model: served.model, ...source }),
    identity: `"model":${JSON.stringify(served.model)},"version":${JSON.stringify(served.version)},"digest":${JSON.stringify(served.digest)}`,
  };
}

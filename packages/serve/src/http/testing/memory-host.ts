import { IngotError } from '@ingot/core/errors';
import type { Predictor, PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Signature } from '@ingot/core/signature';
import type { Lease, ModelHost, ServedVersion, SlotState } from '../../model-host.ts';

/** A model that lives in this process, for trying the HTTP side without a runtime. */
export interface MemoryModel {
  readonly name: string;
  readonly version?: string;
  readonly label?: string;
  readonly signature?: Signature;
  readonly example?: ServedVersion['example'];
  readonly description?: string;
  readonly predict: (request: PredictRequest, signal?: AbortSignal) => PredictResult | Promise<PredictResult>;
}

/** A host over {@link MemoryModel}s that also tells what was done to it. */
export interface MemoryHost extends ModelHost {
  /** Leases that were taken and not released. */
  leased(): number;
}

interface Slot {
  served: ServedVersion;
  readonly predictor: Predictor;
}

/** Makes a host that serves the given models; of several versions of a name the first is the default. */
export function memoryHost(models: readonly MemoryModel[]): MemoryHost {
  const slots = models.map(slotOf);
  let leases = 0;
  const named = (model: string): Slot[] => {
    const found = slots.filter(({ served }) => served.model === model);
    if (found.length === 0)
      throw new IngotError('model-not-found', `no model "${model}" is served here`, {
        details: { models: [...new Set(slots.map(({ served }) => served.model))] },
      });
    return found;
  };
  const become = (model: string, state: SlotState): void => {
    for (const slot of named(model)) slot.served = { ...slot.served, state };
  };

  return {
    ready: () => slots.every(({ served }) => served.state === 'READY'),
    index: () => slots.map(({ served }) => served),
    models: () => [...new Set(slots.map(({ served }) => served.model))],
    lease(model, version) {
      const slot = named(model).find(
        ({ served }) => version === undefined || served.version === version || served.label === version,
      );
      if (slot === undefined)
        throw new IngotError('version-not-found', `version "${version}" of "${model}" is not served`);
      if (slot.served.state !== 'READY') throw new IngotError('model-not-ready', `${model} is not loaded`);
      leases += 1;
      return leaseOn(slot, () => {
        leases -= 1;
      });
    },
    load: async (model) => become(model, 'READY'),
    unload: async (model) => become(model, 'UNAVAILABLE'),
    leased: () => leases,
  };
}

function leaseOn(slot: Slot, release: () => void): Lease {
  return { served: slot.served, predictor: slot.predictor, [Symbol.dispose]: release };
}

function slotOf(model: MemoryModel): Slot {
  const { name, version = '1', predict, ...about } = model;
  const served: ServedVersion = {
    ...about,
    model: name,
    version,
    digest: `sha256:${'0'.repeat(63)}${version.slice(0, 1)}`,
    sources: [name],
    state: 'READY',
    platform: 'memory',
    flavor: 'function',
  };
  const predictor: Predictor = {
    signature: model.signature,
    platform: 'memory',
    predict: async (request, options) => predict(request, options?.signal),
    async [Symbol.asyncDispose]() {},
  };
  return { served, predictor };
}

/** Adds the numeric columns of each row: a model whose answers a test can work out. */
export function sumOfColumns({ inputs }: PredictRequest): PredictResult {
  const rows = inputs[0]?.shape[0] ?? 0;
  const data = new Float64Array(rows);
  for (const tensor of inputs)
    for (let row = 0; row < rows; row += 1) data[row] = (data[row] ?? 0) + numberAt(tensor, row);
  return { outputs: [{ name: 'total', datatype: 'FP64', shape: [rows], data }] };
}

function numberAt(tensor: Tensor, row: number): number {
  const value = tensor.data[row];
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0;
}

/** Answers its inputs, each under the name `<input>_out`: a model that shows what arrived. */
export function echo({ inputs }: PredictRequest): PredictResult {
  return { outputs: inputs.map((tensor) => ({ ...tensor, name: `${tensor.name}_out` })) };
}

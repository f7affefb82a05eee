import { IngotError, isIngotError } from '@ingot/core/errors';
import type { Predictor, Runtime, ServablePackage } from '@ingot/core/serving/runtime';
import type { Feature } from '@ingot/core/signature';
import type { Log } from '../../log.ts';
import { bindGraph, checkMethod, failureCode } from './bind-graph.ts';
import type { GraphValue } from './bind-inputs.ts';
import { declaredTensor } from './bind-outputs.ts';

/** What reads graphs in Python, of any version that the package does not contradict. */
const ONNXRUNTIME = 'onnxruntime';

/**
 * Gives what Python needs to run a package: of an ONNX graph, which asks for nothing where the engine runs it, also
 * onnxruntime.
 */
export function forPython(model: ServablePackage): ServablePackage {
  const isNamed = model.requirements.some((line) => /^onnxruntime\b/i.test(line));
  if (model.flavor !== 'onnx' || isNamed) return model;
  return { ...model, requirements: [...model.requirements, ONNXRUNTIME] };
}

/**
 * Loads a graph in a Python worker. It is asked there with the graph's own tensors, so that requests, answers and errors are
 * the same as with onnxruntime-node.
 * @throws IngotError as `python.load` does.
 */
export async function loadInPython(
  model: ServablePackage,
  python: Runtime,
  log: Log,
  call: Parameters<Runtime['load']>[1],
): Promise<Predictor> {
  const { signature: declared, example: _, ...rest } = forPython(model);
  const graph = await python.load(rest, call);
  try {
    return asked(graph, declared, log);
  } catch (error) {
    await graph[Symbol.asyncDispose]();
    throw error;
  }
}

function asked(graph: Predictor, declared: ServablePackage['signature'], log: Log): Predictor {
  const inputs = (graph.signature?.inputs ?? []).flatMap(graphValue);
  const outputs = (graph.signature?.outputs ?? []).flatMap(graphValue);
  const { bind, bound, signature } = bindGraph(
    { inputs, outputs, skipped: outputs.length === 0 ? ['sequences or maps'] : [] },
    declared,
    log,
  );
  return {
    signature,
    platform: 'onnx_onnxruntime',
    ...(graph.memoryBytes && { memoryBytes: graph.memoryBytes }),
    async predict(request, options) {
      checkMethod(request);
      const answer = await graph.predict({ inputs: bind(request.inputs) }, options).catch((error: unknown) => {
        if (!isIngotError(error, 'model-failed')) throw error;
        throw new IngotError(failureCode(error.message), error.message, { cause: error });
      });
      const given = new Map(answer.outputs.map((tensor) => [tensor.name, tensor]));
      const named = bound.features.map((feature, index) => {
        const name = bound.fetch[index] ?? feature.name;
        const tensor = given.get(name);
        if (tensor === undefined) throw new IngotError('model-failed', `the graph gave no "${name}"`);
        return declaredTensor(tensor, feature);
      });
      return { ...answer, outputs: named };
    },
    [Symbol.asyncDispose]: () => graph[Symbol.asyncDispose](),
  };
}

function graphValue({ name, dtype, shape = [] }: Feature): readonly GraphValue[] {
  return dtype === undefined ? [] : [{ name, datatype: dtype, shape }];
}

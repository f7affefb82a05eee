import { readSavedModel, servedSignature } from '../foreign/saved-model.ts';
import type { Detected, Detector } from './flavor.ts';

/** Recognises a TensorFlow SavedModel by its `saved_model.pb`, with what its served signature takes and gives. */
export const detectSavedModel: Detector = async ({ files }): Promise<Detected | undefined> => {
  const graphs = files.filter(({ path }) => /(?:^|\/)saved_model\.pb$/.test(path));
  const [graph] = graphs;
  if (graph === undefined || graphs.length > 1) return undefined;
  const model = await readSavedModel(graph.absolute);
  if (model === undefined) return undefined;
  const served = servedSignature(model);
  const { version } = model;
  const names = model.signatures.map(({ key }) => key).filter((key) => !key.startsWith('__'));
  return {
    flavor: 'tensorflow',
    artifact: graph.path === 'saved_model.pb' ? '.' : graph.path.slice(0, -'/saved_model.pb'.length),
    from: `the SavedModel in ${graph.path}`,
    requirements: [version !== undefined && /^\d+\.\d+\.\d+$/.test(version) ? `tensorflow==${version}` : 'tensorflow'],
    executesCode: false,
    understood: [{ what: 'signatures', value: names.join(', ') || 'none', from: `in ${graph.path}` }],
    ...(served === undefined
      ? {}
      : { signature: { inputs: served.inputs, outputs: served.outputs, origin: 'graph' as const } }),
    problems:
      served === undefined
        ? [
            {
              severity: 'warning',
              rule: 'tensorflow.no-signature',
              message: `${graph.path} has ${names.length === 0 ? 'no signature' : `the signatures ${names.join(', ')} and none is the default`}, so it cannot be asked`,
              file: graph.path,
              fix: 'save it with signatures=…, or name one in flavor.json: {"flavor": "tensorflow", "artifact": "…", "signature": "…"}',
            },
          ]
        : [],
  };
};

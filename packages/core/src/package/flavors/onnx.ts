import type { Detector } from './flavor.ts';

/** Recognises an ONNX graph: `model.onnx`, or the only one that is there. */
export const detectOnnx: Detector = ({ artifacts }) => {
  const graphs = artifacts.filter(({ path }) => /\.onnx$/i.test(path));
  const named = graphs.find(({ path }) => /(?:^|\/)model\.onnx$/i.test(path));
  const graph = named ?? (graphs.length === 1 ? graphs[0] : undefined);
  return graph && { flavor: 'onnx', artifact: graph.path, from: `the ONNX file ${graph.path}`, executesCode: false };
};

import { nearest } from '../nearest.ts';
import type { Datatype, Feature, FeatureType } from '../signature.ts';

/** Where what was declared disagrees with a graph. */
export interface Disagreement {
  readonly rule: 'onnx.input-count' | 'onnx.input-names' | 'onnx.input-type' | 'onnx.output-names' | 'onnx.output-type';
  readonly message: string;
  readonly fix: string;
  /** The declared feature it is about; undefined: all of them. */
  readonly feature?: string;
}

/** One side of a signature, and whether it is what was declared. */
export interface FittedFeatures {
  readonly features: readonly Feature[];
  readonly from: 'declared' | 'graph';
  readonly disagreement?: Disagreement;
}

/**
 * Chooses the inputs of an ONNX package. Declared features are taken when they name the graph's inputs one by one, or
 * are the columns of its only input; else the graph's inputs are, described by what was declared of the same name.
 * Several inputs of one column each are scalar features even when nobody declared them.
 */
export function fitInputs(graph: readonly Feature[], declared: readonly Feature[]): FittedFeatures {
  const columns = graph.length > 1 && graph.every((value) => isColumn(value) && takes(value.dtype, scalarOf(value)));
  const own = columns ? graph.map(asScalar) : graph;
  if (declared.length === 0) return { features: own, from: 'graph' };
  const fitted = chooseInputs(graph, declared);
  return 'rule' in fitted
    ? { features: describe(own, declared), from: 'graph', disagreement: fitted }
    : { features: fitted, from: 'declared' };
}

/** Chooses the outputs: declared ones are matched by name, else by place, else the only one that suits is taken. */
export function fitOutputs(graph: readonly Feature[], declared: readonly Feature[]): FittedFeatures {
  if (declared.length === 0) return { features: graph, from: 'graph' };
  const fitted = chooseOutputs(graph, declared);
  return 'rule' in fitted
    ? { features: describe(graph, declared), from: 'graph', disagreement: fitted }
    : { features: fitted, from: 'declared' };
}

function chooseInputs(graph: readonly Feature[], declared: readonly Feature[]): readonly Feature[] | Disagreement {
  const names = new Set(graph.map(({ name }) => name));
  if (declared.length === graph.length && declared.every(({ name }) => names.has(name))) {
    return eachFits(declared, (feature) => graph.find(({ name }) => name === feature.name), 'onnx.input-type');
  }
  const [only] = graph;
  if (only === undefined || graph.length > 1) return wrongNames(graph, declared);
  const [single] = declared;
  if (single !== undefined && declared.length === 1 && (single.type === 'tensor' || only.shape?.length === 1)) {
    return eachFits(declared, () => only, 'onnx.input-type');
  }
  return asColumns(only, declared);
}

/** All features side by side in the graph's only input. */
function asColumns(only: Feature, declared: readonly Feature[]): readonly Feature[] | Disagreement {
  const width = only.shape?.[1] ?? -1;
  if (only.shape?.length !== 2 || (width !== -1 && width !== declared.length)) {
    const wanted = only.shape?.length === 2 ? plural(width, 'column') : `one tensor ${typeText(only)}`;
    return {
      rule: 'onnx.input-count',
      message: `the graph's input "${only.name}" takes ${wanted}, and input_features lists ${plural(declared.length, 'feature')}`,
      fix: 'list one feature a column, in the order of training, or remove input_features',
    };
  }
  const misfit = declared.find(({ type }) => only.dtype === 'BYTES' || !takes(only.dtype, type));
  if (misfit === undefined) return declared;
  return {
    rule: 'onnx.input-type',
    message: `"${misfit.name}" is declared ${misfit.type}, and it is a column of ${only.name} ${typeText(only)}`,
    fix:
      only.dtype === 'BYTES' || only.dtype === 'FP16'
        ? 'remove input_features: rows cannot be turned into such a tensor'
        : `declare what the graph takes ("type: ${scalarOf(only)}"), or export a graph with one input a feature`,
    feature: misfit.name,
  };
}

function chooseOutputs(graph: readonly Feature[], declared: readonly Feature[]): readonly Feature[] | Disagreement {
  const names = new Set(graph.map(({ name }) => name));
  if (declared.every(({ name }) => names.has(name)))
    return eachFits(declared, (feature) => graph.find(({ name }) => name === feature.name), 'onnx.output-type');
  if (declared.length === graph.length) return eachFits(declared, (_, index) => graph[index], 'onnx.output-type');
  const [only] = declared;
  const suitable = graph.filter((value) => only !== undefined && isColumn(value) && gives(value.dtype, only.type));
  if (declared.length === 1 && suitable.length === 1) return declared;
  return {
    rule: 'onnx.output-names',
    message: `the graph gives ${list(graph)}, and output lists ${list(declared)}`,
    fix: 'list outputs by the names that the graph gives them, or remove output',
  };
}

type Rule = 'onnx.input-type' | 'onnx.output-type';

function eachFits(
  declared: readonly Feature[],
  graphValue: (feature: Feature, index: number) => Feature | undefined,
  rule: Rule,
): readonly Feature[] | Disagreement {
  const fitted: Feature[] = [];
  for (const [index, feature] of declared.entries()) {
    const value = graphValue(feature, index);
    if (value === undefined) continue;
    const one = fitOne(feature, value, rule);
    if ('rule' in one) return one;
    fitted.push(one);
  }
  return fitted;
}

/** A column of the declared type stays as declared; a wider output keeps what was said of it, as the tensor it is. */
function fitOne(feature: Feature, value: Feature, rule: Rule): Feature | Disagreement {
  const { dtype, shape } = value;
  if (feature.type === 'tensor') {
    const same = (feature.dtype ?? dtype) === dtype && fitsShape(feature.shape, shape);
    return same ? { ...feature, ...typeOf(value) } : wrongType(feature, value, rule);
  }
  const holds = rule === 'onnx.input-type' ? takes : gives;
  if (!holds(dtype, feature.type)) return wrongType(feature, value, rule);
  if (isColumn(value)) return feature;
  return rule === 'onnx.output-type' ? { ...feature, ...typeOf(value) } : wrongType(feature, value, rule);
}

function typeOf({ type, dtype, shape }: Feature): Pick<Feature, 'type' | 'dtype' | 'shape'> {
  return { type, ...(dtype === undefined ? {} : { dtype }), ...(shape === undefined ? {} : { shape }) };
}

function fitsShape(declared: readonly number[] | undefined, shape: readonly number[] | undefined): boolean {
  if (declared === undefined || shape === undefined) return true;
  const same = (size: number, at: number): boolean => size === -1 || shape[at] === -1 || shape[at] === size;
  return declared.length === shape.length && declared.every(same);
}

/** Says whether a value holds one element a row: `[rows]` or `[rows, 1]`. */
function isColumn({ shape }: Feature): boolean {
  return shape?.length === 1 || (shape?.length === 2 && shape[1] === 1);
}

/** Says whether a graph's input takes a feature's values without a change of meaning. */
function takes(dtype: Datatype | undefined, type: FeatureType): boolean {
  const whole = isWhole(dtype);
  const real = dtype === 'FP32' || dtype === 'FP64';
  if (type === 'float') return real;
  if (type === 'integer') return real || whole;
  if (type === 'boolean') return real || whole || dtype === 'BOOL';
  return type !== 'tensor' && dtype === 'BYTES';
}

/** Says whether what a graph's output gives may be called so; a class may be its index. */
function gives(dtype: Datatype | undefined, type: FeatureType): boolean {
  if (type === 'float') return dtype?.startsWith('FP') === true;
  if (type === 'integer') return isWhole(dtype);
  if (type === 'boolean') return dtype === 'BOOL';
  return dtype === 'BYTES' || (type === 'categorical' && isWhole(dtype));
}

function isWhole(dtype: Datatype | undefined): boolean {
  return dtype !== undefined && /^U?INT/.test(dtype);
}

function scalarOf({ dtype }: Feature): Exclude<FeatureType, 'tensor'> {
  if (dtype === 'BOOL') return 'boolean';
  if (dtype === 'BYTES') return 'string';
  return isWhole(dtype) ? 'integer' : 'float';
}

function asScalar(value: Feature): Feature {
  const { dtype, shape, ...rest } = value;
  return { ...rest, type: scalarOf(value) };
}

/** Adds descriptions, bounds and class names to the graph's features of the same name. */
function describe(graph: readonly Feature[], declared: readonly Feature[]): readonly Feature[] {
  return graph.map((feature) => {
    const found = declared.find(({ name }) => name === feature.name);
    if (found === undefined) return feature;
    const { type, dtype, shape, ...rest } = found;
    return { ...rest, ...feature };
  });
}

function wrongNames(graph: readonly Feature[], declared: readonly Feature[]): Disagreement {
  const names = graph.map(({ name }) => name);
  const stray = declared.find(({ name }) => !names.includes(name));
  const meant = stray === undefined ? undefined : nearest(stray.name, names);
  return {
    rule: 'onnx.input-names',
    message: `the graph takes ${list(graph)}, and input_features lists ${list(declared)}`,
    fix: meant === undefined ? 'list every input by the name that the graph gives it' : `did you mean ${meant}?`,
    ...(stray === undefined ? {} : { feature: stray.name }),
  };
}

function wrongType(feature: Feature, value: Feature, rule: Rule): Disagreement {
  const type = isColumn(value) && value.dtype !== undefined && value.dtype !== 'FP16' ? scalarOf(value) : 'tensor';
  const rest = feature.type === 'tensor' ? ' and leave out dtype and shape' : '';
  return {
    rule,
    message: `"${feature.name}" is declared ${describeType(feature)}, and in the graph it is ${value.name} ${typeText(value)}`,
    fix: `write "type: ${type}"${rest}`,
    feature: feature.name,
  };
}

function describeType(feature: Feature): string {
  return feature.type === 'tensor' ? `tensor ${typeText(feature)}` : feature.type;
}

function typeText({ dtype, shape, format }: Feature): string {
  return `${dtype ?? format ?? 'of an unknown type'}${shape === undefined ? '' : `[${shape.join(', ')}]`}`;
}

const LISTED = 5;

function list(features: readonly Feature[]): string {
  const named = features.slice(0, LISTED).map(({ name }) => name);
  return features.length > LISTED ? `${named.join(', ')} and ${features.length - LISTED} more` : named.join(', ');
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

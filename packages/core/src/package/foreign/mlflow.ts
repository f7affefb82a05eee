import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { parseCapture } from '../captured.ts';
import type { Inference, Problem } from '../package.ts';
import type { Row } from '../../signature.ts';
import type { ForeignFolder } from './foreign-folder.ts';
import { flavorText, type ForeignFinding, mapOf, metadataText, telling, textOf, textsOf } from './foreign.ts';
import { chooseMlflowFlavor } from './mlflow-flavor.ts';
import { type MlflowSignature, readMlflowSignature } from './mlflow-signature.ts';

const FILE = 'MLmodel';
/** What MLflow is installed as. */
const DISTRIBUTIONS = ['mlflow', 'mlflow-skinny', 'mlflow-tracing'];

/** Reads a directory that MLflow saved a model in: its `MLmodel` file, environment, signature, example and run. */
export async function readMlflow(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  if (!folder.has(FILE)) return undefined;
  const model = await folder.yaml(FILE);
  if (model === undefined || !isJsonObject(model.flavors)) return unreadable(model);
  const { twice, ...signature } = readMlflowSignature(model.signature);
  const { description, because } = chooseMlflowFlavor(model.flavors, signature, folder);
  const environment = await readEnvironment(folder, model.flavors);
  const example = await readExample(folder, mapOf(model.saved_input_example_info), signature);
  const isGraph = description.flavor === 'onnx';
  const metadata = metadataText({
    created_date: textOf(model.utc_time_created)?.slice(0, 10),
    python_version: environment.python,
    ...(isGraph ? {} : { input_features: [...signature.inputs], output: [...signature.outputs] }),
    mlflow: telling({
      version: model.mlflow_version,
      flavors: Object.keys(model.flavors),
      model_uuid: model.model_uuid,
      model_id: model.model_id,
      run_id: model.run_id,
      artifact_path: model.artifact_path,
      metadata: model.metadata,
      signature: model.signature,
      code: mapOf(model.flavors.python_function).code,
    }),
  });
  return {
    describedBy: 'MLflow',
    ...(twice !== undefined && { problems: [repeated(twice)] }),
    kind: `an MLflow model${typeof model.mlflow_version === 'string' ? ` (MLflow ${model.mlflow_version})` : ''}`,
    from: FILE,
    written: {
      'flavor.json': flavorText(description),
      'metadata.yaml': metadata,
      ...(environment.requirements === undefined ? {} : { 'requirements.txt': environment.requirements }),
    },
    captured: parseCapture(
      telling({
        lineage: telling({ run: model.run_id }),
        example: example.length === 0 ? undefined : { inputs: [...example] },
      }),
    ),
    understood: understood(description, because, model, signature),
    ...(description.flavor === 'mlflow' ? {} : { unneeded: DISTRIBUTIONS }),
  };
}

/** What is there is read as files; that it was to be a model of MLflow is said. */
function unreadable(model: JsonObject | undefined): ForeignFinding {
  const why = model === undefined ? 'is no YAML that can be read' : 'names no flavors';
  return {
    kind: 'a folder with an MLmodel that is not understood',
    from: FILE,
    written: {},
    understood: [],
    problems: [
      {
        severity: 'warning',
        rule: 'mlflow.not-understood',
        message: `${FILE} ${why}, so nothing of MLflow is known of the model`,
        file: FILE,
        fix: 'save the model again with mlflow, or remove the file',
      },
    ],
  };
}

/** A column that is there twice cannot be asked for by its name. */
function repeated(name: string): Problem {
  return {
    severity: 'warning',
    rule: 'mlflow.column-twice',
    message: `the signature in ${FILE} names ${JSON.stringify(name.slice(0, 100))} twice, so it is not used`,
    file: FILE,
    fix: 'give the columns names of their own, and log the model again',
  };
}

function understood(
  description: Readonly<Record<string, JsonValue | undefined>>,
  because: string,
  model: JsonObject,
  signature: MlflowSignature,
): Inference[] {
  const said = (what: string, value: JsonValue | undefined, from: string): Inference[] =>
    typeof value === 'string' && value !== '' ? [{ what, value, from }] : [];
  const { inputs, outputs } = signature;
  return [
    ...said('loader', description.flavor, because),
    ...(inputs.length + outputs.length === 0
      ? []
      : said('signature', `${inputs.length} inputs, ${outputs.length} outputs`, `from the signature in ${FILE}`)),
    ...said('run', model.run_id, `from run_id in ${FILE}`),
    ...said('model uuid', model.model_uuid, `from ${FILE}`),
    ...said('code', mapOf(mapOf(model.flavors).python_function).code, 'a folder of modules that the model imports'),
  ];
}

interface Environment {
  readonly python?: string;
  /** Only where there is no requirements.txt, which older versions did not write. */
  readonly requirements?: string;
}

/** The Python version and requirements of `python_env.yaml`, `conda.yaml` and the python_function flavor. */
async function readEnvironment(folder: ForeignFolder, flavors: JsonObject): Promise<Environment> {
  const pyfunc = mapOf(flavors.python_function);
  const env = mapOf(pyfunc.env);
  const conda = await folder.yaml(textOf(env.conda) ?? textOf(pyfunc.env) ?? 'conda.yaml');
  const virtual = await folder.yaml(textOf(env.virtualenv) ?? 'python_env.yaml');
  const lines = Array.isArray(conda?.dependencies) ? conda.dependencies : [];
  const fromConda = lines.flatMap((one: JsonValue) => /^python\s*=+\s*([\d.]+)/.exec(String(one))?.[1] ?? []);
  const python = textOf(pyfunc.python_version) ?? versionText(virtual?.python) ?? fromConda[0];
  const pip = lines.flatMap((one: JsonValue) => textsOf(mapOf(one).pip)).filter((line) => !line.startsWith('-'));
  return {
    ...(python === undefined ? {} : { python }),
    ...(folder.has('requirements.txt') || pip.length === 0 ? {} : { requirements: `${pip.join('\n')}\n` }),
  };
}

function versionText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'number' ? String(value) : textOf(value);
}

const MAX_ROWS = 10;

/** Rows of the input example, where it is a table, or one array for a model that takes one. */
async function readExample(
  folder: ForeignFolder,
  info: JsonObject,
  signature: MlflowSignature,
): Promise<readonly Row[]> {
  const saved = await folder.json(textOf(info.artifact_path) ?? 'input_example.json');
  if (saved === undefined) return [];
  const { columns, data, inputs } = mapOf(saved);
  if (Array.isArray(columns) && Array.isArray(data)) {
    const names = columns.map((name: JsonValue) => String(name));
    return data.slice(0, MAX_ROWS).flatMap((row: JsonValue) => (Array.isArray(row) ? [rowOf(names, row)] : []));
  }
  const [first] = signature.inputs;
  if (signature.takes !== 'tensors' || signature.inputs.length !== 1 || typeof first?.name !== 'string') return [];
  const { name } = first;
  return Array.isArray(inputs) ? inputs.slice(0, MAX_ROWS).map((value: JsonValue) => ({ [name]: value })) : [];
}

function rowOf(names: readonly string[], values: readonly JsonValue[]): Row {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
}

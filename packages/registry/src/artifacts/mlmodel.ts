import type { JsonObject, JsonValue } from '@ingot/core/json';
import type { PackageDescription } from '@ingot/core/package/package';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Row } from '@ingot/core/signature';
import { mlflowSignature } from './mlflow-signature.ts';

/** Folder of the package's own files in what MLflow's clients see. */
export const PACKAGE_FOLDER = 'package';
/** Folder of the modules that load them. */
export const CODE_FOLDER = 'code';
/** The module that MLflow calls. */
export const LOADER_MODULE = 'ingot_mlflow_loader';

/** The release whose format is written. */
const MLFLOW_VERSION = '3.17.2';

/** What is told of a version. */
export interface PresentedVersion {
  readonly record: VersionRecord;
  readonly description: PackageDescription;
  /** What `flavor.json` says, where the package has one. */
  readonly flavorFile: JsonObject;
  readonly example: readonly Row[];
}

/** The files that make a package a directory that MLflow loads, as text by path. */
export function mlflowFiles(version: PresentedVersion): Readonly<Record<string, string>> {
  const { record, description, example } = version;
  const python = pythonOf(version);
  const requirements = requirementsOf(version);
  return {
    MLmodel: document(mlmodel(version, python)),
    'requirements.txt': `${requirements.join('\n')}\n`,
    'python_env.yaml': document({ python, build_dependencies: ['pip'], dependencies: ['-r requirements.txt'] }),
    'conda.yaml': document({
      name: 'mlflow-env',
      channels: ['conda-forge'],
      dependencies: [`python=${python}`, 'pip', { pip: [...requirements] }],
    }),
    [`${CODE_FOLDER}/ingot_package.json`]: document({
      flavor: description.flavor,
      interface: description.interfacePath ?? null,
      artifact: description.artifactPath ?? null,
      signature: record.signature === undefined ? null : asJson(record.signature),
    }),
    ...(example.length === 0 ? {} : { 'input_example.json': document(exampleTable(example)) }),
  };
}

function mlmodel(version: PresentedVersion, python: string): JsonObject {
  const { record, example } = version;
  const signature = mlflowSignature(record.signature);
  const run = /^[0-9a-f]{32}$/.exec(record.lineage?.run ?? '')?.[0];
  return {
    artifact_path: record.model,
    flavors: { python_function: pythonFunction(python), ...nativeFlavor(version) },
    mlflow_version: MLFLOW_VERSION,
    model_size_bytes: record.sizeBytes,
    model_uuid: record.manifest.slice('sha256:'.length, 'sha256:'.length + 32),
    ...(run !== undefined && { run_id: run }),
    ...(signature && { signature }),
    ...(example.length > 0 && {
      saved_input_example_info: { artifact_path: 'input_example.json', type: 'dataframe', pandas_orient: 'split' },
    }),
    utc_time_created: record.publishedAt.replace('T', ' ').replace(/Z$/, '000'),
    metadata: { ingot: { model: record.model, version: record.number, digest: record.manifest } },
  };
}

function pythonFunction(python: string): JsonObject {
  return {
    loader_module: LOADER_MODULE,
    code: CODE_FOLDER,
    data: PACKAGE_FOLDER,
    env: { conda: 'conda.yaml', virtualenv: 'python_env.yaml' },
    python_version: python,
  };
}

/** What a flavor is called by MLflow where it reads the stored file itself. */
function nativeFlavor({ description, record, flavorFile }: PresentedVersion): JsonObject {
  const { flavor, artifactPath } = description;
  if (artifactPath === undefined) return {};
  const data = `${PACKAGE_FOLDER}/${artifactPath}`;
  const version = (name: string): string => versionIn(record, name) ?? '';
  const modelClass: JsonObject = typeof flavorFile.class === 'string' ? { model_class: flavorFile.class } : {};
  switch (flavor) {
    case 'sklearn': {
      const format = /\.skops$/.test(artifactPath)
        ? 'skops'
        : /\.(?:pkl|pickle)$/.test(artifactPath)
          ? 'cloudpickle'
          : '';
      if (format === '') return {};
      const sklearn_version = version('scikit-learn');
      return { sklearn: { pickled_model: data, serialization_format: format, sklearn_version, code: null } };
    }
    case 'xgboost':
      return { xgboost: { data, xgb_version: version('xgboost'), ...modelClass, code: null } };
    case 'lightgbm':
      return { lightgbm: { data, lgb_version: version('lightgbm'), ...modelClass, code: null } };
    case 'onnx':
      return { onnx: { data, onnx_version: version('onnx'), providers: ['CPUExecutionProvider'], code: null } };
    default:
      return {};
  }
}

function versionIn({ environment }: VersionRecord, name: string): string | undefined {
  const pin = environment?.requirements.find((line) => line.toLowerCase().startsWith(`${name}==`));
  return pin?.slice(name.length + 2).split(/[\s;,]/)[0];
}

function requirementsOf({ record, description }: PresentedVersion): readonly string[] {
  const own = description.requirements.length > 0 ? description.requirements : (record.environment?.requirements ?? []);
  const named = own.some((line) => /^mlflow(?:-skinny)?\b/i.test(line));
  return named ? own : ['mlflow', ...own];
}

function pythonOf({ record, description }: PresentedVersion): string {
  return description.pythonVersion ?? record.environment?.python ?? '3.11';
}

/** Rows as pandas' `split` has them. */
function exampleTable(rows: readonly Row[]): JsonObject {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return { columns, data: rows.map((row) => columns.map((column) => row[column] ?? null)) };
}

/** JSON is YAML, too. */
function document(value: JsonValue): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function asJson(value: object): JsonValue {
  const copy: JsonValue = JSON.parse(JSON.stringify(value));
  return copy;
}

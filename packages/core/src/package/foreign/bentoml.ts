import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { parseCapture } from '../captured.ts';
import type { Inference } from '../package.ts';
import type { ForeignFolder } from './foreign-folder.ts';
import { flavorText, type ForeignFinding, mapOf, metadataText, pinnedText, telling, textOf } from './foreign.ts';

const FILE = 'model.yaml';

interface Module {
  readonly flavor: string;
  /** The first that is there is meant. */
  readonly files: readonly string[];
  /** What else its `flavor.json` says. */
  readonly more?: JsonObject;
}

/** Files that are only a part of what lies in the folder. */
const WHOLE = ['saved_model.pb', 'model.weights.h5'];

const TORCH = { flavor: 'torch', files: ['saved_model.pt'] };

/** What BentoML's framework modules save is called, and what loads it here. LightGBM's text lies under either name. */
const MODULES: Readonly<Record<string, Module>> = {
  sklearn: { flavor: 'sklearn', files: ['saved_model.pkl'] },
  xgboost: { flavor: 'xgboost', files: ['saved_model.ubj', 'saved_model.json'] },
  lightgbm: { flavor: 'lightgbm', files: ['saved_model.txt', 'saved_model.ubj'] },
  catboost: { flavor: 'catboost', files: ['saved_model.cbm'] },
  onnx: { flavor: 'onnx', files: ['saved_model.onnx'] },
  // Keras 3 writes the parts of an archive into the folder that BentoML names.
  keras: { flavor: 'keras', files: ['saved_model.keras', 'model.weights.h5'], more: { input: 'tensors' } },
  tensorflow: { flavor: 'tensorflow', files: ['saved_model.pb'] },
  pytorch: { ...TORCH, more: { kind: 'pickle', input: 'tensors', executesCode: true } },
  torchscript: { ...TORCH, more: { kind: 'script', input: 'tensors' } },
  pytorch_lightning: { ...TORCH, more: { kind: 'script', input: 'tensors' } },
  fastai: { flavor: 'fastai', files: ['saved_model.pkl'], more: { executesCode: true } },
};

/** Reads a model of a BentoML store: its `model.yaml`, framework, versions, labels and metadata. */
export async function readBentoml(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  const model = await folder.yaml(FILE);
  if (model === undefined || typeof model.module !== 'string' || textOf(model.api_version) === undefined)
    return undefined;
  // Empty where someone put files of their own into it (`bentoml.models.create`); then the files tell.
  const { module } = model;
  const context = mapOf(model.context);
  const description = describe(module, folder, mapOf(model.options));
  const metadata = mapOf(model.metadata);
  return {
    kind: `a BentoML model${typeof context.bentoml_version === 'string' ? ` (BentoML ${context.bentoml_version})` : ''}`,
    from: FILE,
    written: {
      ...(description === undefined ? {} : { 'flavor.json': flavorText(description) }),
      'requirements.txt': pinnedText(mapOf(context.framework_versions)),
      'metadata.yaml': metadataText({
        name: textOf(model.name),
        version: textOf(model.version),
        created_date: textOf(model.creation_time)?.slice(0, 10),
        python_version: textOf(context.python_version),
        bentoml: telling({
          module,
          options: model.options,
          labels: model.labels,
          metadata,
          signatures: model.signatures,
        }),
      }),
    },
    captured: parseCapture(telling({ tags: textValues(mapOf(model.labels)), metrics: numbers(metadata) })),
    understood: understood(module, model, metadata),
  };
}

function describe(
  module: string,
  folder: ForeignFolder,
  options: JsonObject,
): Readonly<Record<string, JsonValue | undefined>> | undefined {
  const known = MODULES[module.replace(/^bentoml\./, '')];
  const file = known?.files.find((path) => folder.has(path));
  if (known === undefined || file === undefined) return undefined;
  const trained = textOf(options.training_class_name);
  const className =
    textOf(options.model_class) ?? textOf(options._model_class) ?? (trained && `catboost.core.${trained}`);
  const artifact = WHOLE.includes(file) ? '.' : file;
  return { flavor: known.flavor, artifact, class: className, ...known.more };
}

function understood(module: string, model: JsonObject, metadata: JsonObject): Inference[] {
  const methods = Object.keys(mapOf(model.signatures));
  const metrics = Object.keys(numbers(metadata));
  return [
    ...(module === '' ? [] : [{ what: 'framework', value: module, from: `from module in ${FILE}` }]),
    ...(methods.length === 0
      ? []
      : [{ what: 'methods', value: methods.join(', '), from: `from signatures in ${FILE}` }]),
    ...(metrics.length === 0 ? [] : [{ what: 'metrics', value: metrics.join(', '), from: `from metadata in ${FILE}` }]),
  ];
}

function numbers(metadata: JsonObject): Record<string, number> {
  return Object.fromEntries(
    Object.entries(metadata).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

function textValues(labels: JsonObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).flatMap(([key, value]) =>
      value === null || isJsonObject(value) || Array.isArray(value) ? [] : [[key, String(value)]],
    ),
  );
}

import type { JsonObject, JsonValue } from '../../json.ts';
import type { ForeignFolder } from './foreign-folder.ts';
import { mapOf, textOf, textsOf } from './foreign.ts';
import type { MlflowSignature } from './mlflow-signature.ts';

/** What loads a model that MLflow saved, as `flavor.json` says it, and why. */
export interface MlflowChoice {
  readonly description: Readonly<Record<string, JsonValue | undefined>>;
  readonly because: string;
}

/**
 * Chooses a flavor of one's own for a model that MLflow saved where its answer is the same, else `mlflow`, which asks
 * `mlflow.pyfunc`. Code beside the model, another method than `predict`, and wrappers are MLflow's own.
 */
export function chooseMlflowFlavor(
  flavors: JsonObject,
  signature: MlflowSignature,
  folder: Pick<ForeignFolder, 'has' | 'files'>,
): MlflowChoice {
  const pyfunc = mapOf(flavors.python_function);
  const own = Object.keys(flavors).find((name) => Object.hasOwn(MAPPED, name));
  const reason = whyNot(flavors, pyfunc, own);
  if (own === undefined || reason !== undefined)
    return generic(signature, reason ?? 'it has no flavor that is known here');
  const found = MAPPED[own]?.(mapOf(flavors[own]), signature, folder);
  if (found === undefined) return generic(signature, `its flavor ${own} is asked through mlflow.pyfunc`);
  const artifact = textOf(found.artifact);
  const here =
    artifact !== undefined &&
    (folder.has(artifact) || folder.files.some(({ path }) => path.startsWith(`${artifact}/`)));
  if (!here) return generic(signature, `the file that its flavor ${own} names is not there`);
  return { description: found, because: `the flavor ${own} that it names` };
}

function whyNot(flavors: JsonObject, pyfunc: JsonObject, own: string | undefined): string | undefined {
  const method = textOf(pyfunc.predict_fn) ?? 'predict';
  if (method !== 'predict') return `it answers with ${method}`;
  if (textOf(pyfunc.code) !== undefined || textOf(mapOf(flavors[own ?? '']).code) !== undefined)
    return 'it brings code of its own';
  const loader = textOf(pyfunc.loader_module);
  if (loader === 'mlflow.pyfunc.model') return 'it is a Python model of MLflow';
  const flavor = mapOf(flavors[own ?? '']);
  const isSkops = textOf(flavor.data)?.endsWith('.skops') === true;
  if (isSkops || textsOf(flavor.skops_trusted_types).length > 0)
    return 'its skops archive holds types that MLflow was told to trust';
  return undefined;
}

function generic(signature: MlflowSignature, because: string): MlflowChoice {
  return {
    description: { flavor: 'mlflow', artifact: '.', executesCode: true, input: signature.takes ?? 'dataframe' },
    because,
  };
}

type Mapping = (
  flavor: JsonObject,
  signature: MlflowSignature,
  folder: Pick<ForeignFolder, 'has' | 'files'>,
) => Readonly<Record<string, JsonValue | undefined>> | undefined;

const MAPPED: Readonly<Record<string, Mapping>> = {
  sklearn: ({ pickled_model }) => ({ flavor: 'sklearn', artifact: pickled_model }),
  xgboost: ({ data, model_class }) => ({
    flavor: 'xgboost',
    artifact: data,
    class: textOf(model_class) ?? 'xgboost.core.Booster',
    input: 'dataframe',
  }),
  lightgbm: ({ data, model_class }) =>
    isPickle(data)
      ? { flavor: 'sklearn', artifact: data }
      : {
          flavor: 'lightgbm',
          artifact: data,
          class: textOf(model_class) ?? 'lightgbm.basic.Booster',
          input: 'dataframe',
        },
  catboost: ({ data, model_type, save_format }) =>
    textOf(save_format) !== undefined && save_format !== 'cbm'
      ? undefined
      : {
          flavor: 'catboost',
          artifact: data,
          class: `catboost.core.${textOf(model_type) ?? 'CatBoost'}`,
          input: 'dataframe',
        },
  onnx: ({ data }) => ({ flavor: 'onnx', artifact: data }),
  keras: ({ data }, signature, folder) => kerasOf(textOf(data) ?? 'data', signature, folder),
  tensorflow: ({ data, saved_model_dir, model_type }, signature, folder) => {
    if (signature.takes === 'dataframe') return undefined;
    if (model_type === 'keras') return kerasOf(textOf(data) ?? 'data', signature, folder);
    return { flavor: 'tensorflow', artifact: saved_model_dir, input: 'tensors' };
  },
};

/** A Keras archive answers the same to arrays; tables and objects of one's own are MLflow's. */
function kerasOf(
  data: string,
  signature: MlflowSignature,
  folder: Pick<ForeignFolder, 'has' | 'files'>,
): Readonly<Record<string, JsonValue | undefined>> | undefined {
  if (signature.takes === 'dataframe') return undefined;
  if (folder.files.some(({ path }) => path.endsWith('.cloudpickle'))) return undefined;
  const archive = folder.files.find(({ path }) => path.startsWith(`${data}/`) && path.endsWith('.keras'));
  return archive === undefined ? undefined : { flavor: 'keras', artifact: archive.path, input: 'tensors' };
}

function isPickle(path: JsonValue | undefined): boolean {
  return typeof path === 'string' && /\.(?:pkl|pickle)$/.test(path);
}

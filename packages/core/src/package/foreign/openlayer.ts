import type { JsonObject, JsonValue } from '../../json.ts';
import type { Row } from '../../signature.ts';
import { parseCapture } from '../captured.ts';
import type { Inference } from '../package.ts';
import type { ForeignFolder } from './foreign-folder.ts';
import { readRows } from './csv.ts';
import { type ForeignFinding, metadataText, telling, textOf, textsOf } from './foreign.ts';

const INTERFACE = 'prediction_interface.py';
const CONFIG = 'model_config.yaml';
const SETUP = 'setup_script.sh';
const SAMPLES = ['sample_data.csv', 'sample_data.json', 'dataset.csv'];

/** Answers with what the folder's own class has: `predict_proba` for classes, else `predict`. */
const ADAPTER = `"""Answers predict() with what prediction_interface.py offers. Written when the folder was stored."""

from prediction_interface import load_model as load_original


class Model:
    def __init__(self):
        self.original = load_original()
        self.answer = getattr(self.original, "predict_proba", None) or self.original.predict

    def predict(self, rows):
        return self.answer(rows)


def load_model():
    return Model()
`;

/** Reads the folder of a full model as Openlayer takes it: interface, configuration, set-up script and sample rows. */
export async function readOpenlayer(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  if (!folder.has(INTERFACE) || folder.has('interface.py')) return undefined;
  const config = (await folder.yaml(CONFIG)) ?? {};
  const source = (await folder.text(INTERFACE)) ?? '';
  if (!folder.has(CONFIG) && !/\bdef\s+predict_proba\b/.test(source)) return undefined;
  const { rows, file } = await sampleRows(folder);
  const setup = await folder.text(SETUP);
  return {
    kind: 'an Openlayer full model',
    from: folder.has(CONFIG) ? CONFIG : INTERFACE,
    written: {
      'interface.py': ADAPTER,
      'metadata.yaml': metadataOf(config, rows, /\bdef\s+predict_proba\b/.test(source)),
      ...(setup === undefined ? {} : { 'setup.sh': setup }),
    },
    captured: parseCapture(telling({ example: rows.length === 0 ? undefined : { inputs: [...rows] } })),
    replaced: [INTERFACE],
    understood: understood(config, setup !== undefined, rows.length, file),
  };
}

function metadataOf(config: JsonObject, rows: readonly Row[], hasClasses: boolean): string {
  const classes = textsOf(config.classNames);
  return metadataText({
    name: textOf(config.name),
    input_features: featuresOf(config, rows),
    output:
      classes.length > 0 && hasClasses
        ? [{ name: 'probabilities', type: 'tensor', dtype: 'FP64', shape: [-1, classes.length], classes: [...classes] }]
        : undefined,
    openlayer: telling({ ...config, name: undefined }),
  });
}

/** Names are in the configuration; what kind of value each has is in the sample rows. */
function featuresOf(config: JsonObject, rows: readonly Row[]): JsonValue[] {
  const categorical = new Set(textsOf(config.categoricalFeatureNames));
  return textsOf(config.featureNames).map((name): JsonObject => {
    const values = rows.flatMap((row) => row[name] ?? []);
    if (categorical.has(name))
      return {
        name,
        type: values.every((value) => typeof value === 'number') && values.length > 0 ? 'integer' : 'string',
      };
    return { name, type: values.some((value) => typeof value === 'string') ? 'string' : 'float' };
  });
}

async function sampleRows(folder: ForeignFolder): Promise<{ readonly rows: readonly Row[]; readonly file?: string }> {
  for (const file of SAMPLES) {
    const text = await folder.text(file);
    const rows = text === undefined ? [] : readRows(text, file);
    if (rows.length > 0) return { rows, file };
  }
  return { rows: [] };
}

function understood(config: JsonObject, hasSetup: boolean, rows: number, file: string | undefined): Inference[] {
  const classes = textsOf(config.classNames);
  const features = textsOf(config.featureNames);
  return [
    { what: 'interface', value: `interface.py asks ${INTERFACE}`, from: 'its class has predict_proba or predict' },
    ...(features.length === 0
      ? []
      : [{ what: 'inputs', value: String(features.length), from: `from featureNames in ${CONFIG}` }]),
    ...(classes.length === 0
      ? []
      : [{ what: 'classes', value: classes.join(', '), from: `from classNames in ${CONFIG}` }]),
    ...(hasSetup ? [{ what: 'setup', value: 'setup.sh', from: `a copy of ${SETUP}` }] : []),
    ...(file === undefined ? [] : [{ what: 'example', value: `${rows} rows`, from: `from ${file}` }]),
  ];
}

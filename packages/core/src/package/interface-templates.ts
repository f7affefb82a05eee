/** What can be written for an artifact nobody has written an interface for. */
export interface InterfaceTemplate {
  /** `scikit-learn pickle`, for people. */
  readonly kind: string;
  /** Distributions it imports. */
  readonly requirements: readonly string[];
  /** The whole `interface.py`. */
  readonly source: string;
  /** Whether it works as it is; else it says what to fill in. */
  readonly complete: boolean;
}

/** What is known of the artifact. */
export interface TemplateInput {
  /** Path in the package: a file, or a folder; `.` is the package itself. */
  readonly artifactPath: string;
  readonly isFolder: boolean;
  /** The first bytes of the artifact, when it is a file. */
  readonly head: Uint8Array;
  /** Names of the files in the folder, when it is one. */
  readonly names: readonly string[];
  /** Top-level modules that a pickle names. */
  readonly modules: readonly string[];
  /** Whether a pickle's outermost object is no instance of a class: a dict that holds weights, a list. */
  readonly isPlainData?: boolean;
}

interface Body {
  readonly kind: string;
  readonly imports: readonly string[];
  readonly requirements: readonly string[];
  readonly load: readonly string[];
  readonly predict: readonly string[];
  readonly incomplete?: true;
}

const ROWS = 'rows: pd.DataFrame';

/** Chooses the interface for an artifact by what it is; an unknown one gets a frame to fill in. */
export function interfaceFor(input: TemplateInput): InterfaceTemplate {
  const body = bodyFor(input);
  return {
    kind: body.kind,
    requirements: body.requirements,
    source: render(body, input.artifactPath),
    complete: body.incomplete !== true,
  };
}

function render(body: Body, artifactPath: string): string {
  const needsPandas = body.predict[0]?.includes(ROWS) === true;
  const plain = [...body.imports.filter((line) => STANDARD.test(line)), 'from pathlib import Path'];
  const others = [
    ...body.imports.filter((line) => !STANDARD.test(line)),
    ...(needsPandas ? ['import pandas as pd'] : []),
  ].sort();
  const whole = artifactPath === '.';
  const lines = [
    `"""Loads ${whole ? 'this folder' : artifactPath} (${body.kind}). \`load_model\` is called once, \`predict\` for every request."""`,
    '',
    ...plain,
    '',
    ...others,
    ...(others.length === 0 ? [] : ['']),
    `ARTIFACT = Path(__file__).parent${whole ? '' : ` / ${JSON.stringify(artifactPath)}`}`,
    '',
    '',
    'class Model:',
    '    def __init__(self) -> None:',
    ...body.load.map((line) => `        ${line}`),
    '',
    `    def predict(self, ${body.predict[0] ?? ROWS}):`,
    ...body.predict.slice(1).map((line) => (line === '' ? '' : `        ${line}`)),
    '',
    '',
    'def load_model() -> Model:',
    '    return Model()',
    '',
  ];
  return lines.join('\n');
}

const STANDARD = /^(?:import|from) (?:pickle|json)\b/;

function bodyFor(input: TemplateInput): Body {
  const name = input.artifactPath.toLowerCase();
  if (input.isFolder) return folderBody(input.names);
  const starts = (text: string): boolean =>
    Buffer.from(input.head).subarray(0, 200).toString('latin1').trimStart().startsWith(text);
  if (/\.onnx$/.test(name)) return ONNX;
  if (/\.joblib$/.test(name)) return joblibBody(input);
  if (/\.(?:pkl|pickle|sav|dill|cloudpickle)$/.test(name)) return pickleBody(input);
  if (/\.skops$/.test(name)) return SKOPS;
  if (/\.(?:ubj|xgb|bst)$/.test(name) || starts('{"learner"')) return XGBOOST;
  if (/\.lgbm?$/.test(name) || starts('tree\n')) return LIGHTGBM;
  if (/\.cbm$/.test(name)) return CATBOOST;
  if (/\.(?:keras|h5)$/.test(name)) return KERAS;
  if (/\.(?:pt|pth)$/.test(name)) return TORCH;
  return unknownBody('an artifact of a kind that is not known');
}

const PREDICT = [ROWS, 'return self.model.predict(rows)'];

function pickleBody({ modules, isPlainData }: TemplateInput): Body {
  if (isPlainData === true)
    return plainBody('a pickle', 'import pickle', [
      'with open(ARTIFACT, "rb") as file:',
      '    self.data = pickle.load(file)',
    ]);
  const sklearn = modules.includes('sklearn');
  return {
    kind: sklearn ? 'a scikit-learn pickle' : 'a pickle',
    imports: ['import pickle'],
    requirements: ['pandas', ...(sklearn ? ['scikit-learn'] : [])],
    load: ['with open(ARTIFACT, "rb") as file:', '    self.model = pickle.load(file)'],
    predict: PREDICT,
  };
}

function joblibBody({ modules, isPlainData }: TemplateInput): Body {
  if (isPlainData === true) return plainBody('a joblib file', 'import joblib', ['self.data = joblib.load(ARTIFACT)']);
  const sklearn = modules.includes('sklearn');
  return {
    kind: sklearn ? 'a scikit-learn model written by joblib' : 'an object written by joblib',
    imports: ['import joblib'],
    requirements: ['joblib', 'pandas', ...(sklearn ? ['scikit-learn'] : [])],
    load: ['self.model = joblib.load(ARTIFACT)'],
    predict: PREDICT,
  };
}

const ONNX: Body = {
  kind: 'an ONNX graph',
  imports: ['import numpy as np', 'import onnxruntime'],
  requirements: ['numpy', 'onnxruntime'],
  load: [
    '# Without this file Ingot serves the graph itself, faster: keep it only to change what goes in or out.',
    'self.session = onnxruntime.InferenceSession(str(ARTIFACT))',
    'self.inputs = [value.name for value in self.session.get_inputs()]',
  ],
  predict: [
    'rows',
    'if isinstance(rows, dict):',
    '    feed = {name: np.asarray(rows[name]) for name in self.inputs}',
    'elif len(self.inputs) == 1:',
    '    feed = {self.inputs[0]: np.asarray(rows, dtype=np.float32)}',
    'else:  # a DataFrame with one column an input',
    '    feed = {name: rows[[name]].to_numpy() for name in self.inputs}',
    'return self.session.run(None, feed)[0]',
  ],
};

const SKOPS: Body = {
  kind: 'a skops file',
  imports: ['import skops.io'],
  requirements: ['pandas', 'scikit-learn', 'skops'],
  load: [
    '# List here the types you trust; an empty list trusts those of scikit-learn only.',
    'self.model = skops.io.load(ARTIFACT, trusted=[])',
  ],
  predict: PREDICT,
};

const XGBOOST: Body = {
  kind: 'an XGBoost model',
  imports: ['import xgboost'],
  requirements: ['pandas', 'xgboost'],
  load: ['self.model = xgboost.Booster()', 'self.model.load_model(ARTIFACT)'],
  predict: [ROWS, 'return self.model.predict(xgboost.DMatrix(rows))'],
};

const LIGHTGBM: Body = {
  kind: 'a LightGBM model',
  imports: ['import lightgbm'],
  requirements: ['lightgbm', 'pandas'],
  load: ['self.model = lightgbm.Booster(model_file=str(ARTIFACT))'],
  predict: PREDICT,
};

const CATBOOST: Body = {
  kind: 'a CatBoost model',
  imports: ['import catboost'],
  requirements: ['catboost', 'pandas'],
  load: ['self.model = catboost.CatBoost().load_model(str(ARTIFACT))'],
  predict: PREDICT,
};

const KERAS: Body = {
  kind: 'a Keras model',
  imports: ['import keras'],
  requirements: ['keras', 'pandas', 'tensorflow'],
  load: ['self.model = keras.models.load_model(ARTIFACT)'],
  predict: [ROWS, 'return self.model.predict(rows.to_numpy("float32"), verbose=0)'],
};

const TORCH: Body = {
  kind: 'a PyTorch model',
  imports: ['import torch'],
  requirements: ['pandas', 'torch'],
  load: [
    '# A file of torch.jit.save or torch.save(model); for a state_dict build the model here and load it into that.',
    'try:',
    '    self.model = torch.jit.load(ARTIFACT, map_location="cpu")',
    'except RuntimeError:',
    '    self.model = torch.load(ARTIFACT, map_location="cpu", weights_only=False)',
    'self.model.eval()',
  ],
  predict: [
    ROWS,
    'with torch.inference_mode():',
    '    return self.model(torch.tensor(rows.to_numpy("float32"))).numpy()',
  ],
};

/** Says whether some files are those of a folder that a framework writes and loads as a whole. */
export function isFrameworkFolder(names: readonly string[]): boolean {
  return folderBody(names).incomplete !== true;
}

function folderBody(names: readonly string[]): Body {
  if (names.includes('saved_model.pb')) {
    return {
      kind: 'a TensorFlow SavedModel',
      imports: ['import tensorflow as tf'],
      requirements: ['pandas', 'tensorflow'],
      load: ['self.model = tf.saved_model.load(str(ARTIFACT)).signatures["serving_default"]'],
      predict: [
        ROWS,
        'outputs = self.model(tf.constant(rows.to_numpy("float32")))',
        'return next(iter(outputs.values())).numpy()',
      ],
    };
  }
  if (
    names.includes('config.json') &&
    names.some((name) => /^(?:tokenizer|model\.safetensors|pytorch_model)/.test(name))
  ) {
    return {
      kind: 'a transformers folder',
      imports: ['from transformers import pipeline'],
      requirements: ['pandas', 'torch', 'transformers'],
      load: [
        '# The task of your model: text-classification, token-classification, text-generation, …',
        'self.model = pipeline("text-classification", model=str(ARTIFACT))',
      ],
      predict: [ROWS, 'return [answer["label"] for answer in self.model(rows["text"].tolist())]'],
    };
  }
  return unknownBody('a folder');
}

/** A dict has no predict: what it holds is loaded, and how it answers is for its author to say. */
function plainBody(kind: string, library: string, load: readonly string[]): Body {
  return {
    kind: `${kind} of plain data`,
    imports: [library],
    requirements: ['pandas', ...(library.endsWith('joblib') ? ['joblib'] : [])],
    load,
    predict: [
      ROWS,
      '# One answer a row, made from self.data: an array, a list, a Series or a DataFrame.',
      'raise NotImplementedError("interface.py does not say yet how to predict")',
    ],
    incomplete: true,
  };
}

function unknownBody(kind: string): Body {
  return {
    kind,
    imports: [],
    requirements: ['pandas'],
    load: [
      '# Load it here, with the library that wrote it.',
      'raise NotImplementedError(f"interface.py does not say yet how to load {ARTIFACT}")',
    ],
    predict: [
      ROWS,
      '# One answer a row: an array, a list, a Series or a DataFrame.',
      'raise NotImplementedError("interface.py does not say yet how to predict")',
    ],
    incomplete: true,
  };
}

import { expect, test } from 'vitest';
import { readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';

async function executesCode(files: Readonly<Record<string, string>>): Promise<boolean> {
  await using directory = await testDirectory();
  await directory.write(Object.fromEntries(Object.entries(files).map(([path, text]) => [`model/${path}`, text])));
  return (await readPackage(directory.join('model'))).executesCode;
}

function described(
  description: Readonly<Record<string, unknown>>,
  ...paths: readonly string[]
): Record<string, string> {
  const denied = { executesCode: false, ...description };
  return { 'flavor.json': JSON.stringify(denied), ...Object.fromEntries(paths.map((path) => [path, 'x'])) };
}

test.each<[string, Record<string, string>]>([
  [
    'an object is unpickled whatever its file is called',
    described({ flavor: 'object', artifact: 'model.dat' }, 'model.dat'),
  ],
  ['an estimator is, too', described({ flavor: 'sklearn', artifact: 'model.bin' }, 'model.bin')],
  ['statsmodels unpickles', described({ flavor: 'statsmodels', artifact: 'model.json' }, 'model.json')],
  ['an explainer is a pickle', described({ flavor: 'shap', artifact: 'shap' }, 'shap')],
  ['gensim unpickles', described({ flavor: 'gensim', artifact: 'model' }, 'model')],
  ['MLflow runs what the model brings', described({ flavor: 'mlflow', artifact: '.' }, 'MLmodel')],
  ['a plugin does as it likes', described({ flavor: 'plugin', plugin: 'acme', artifact: 'a' }, 'a')],
  [
    'a module with source runs it',
    described(
      { flavor: 'torch', kind: 'module', artifact: 'm.safetensors', source: 'net.txt' },
      'm.safetensors',
      'net.txt',
    ),
  ],
  [
    'weights under another name may be a pickle',
    described({ flavor: 'torch', artifact: 'weights.dat' }, 'weights.dat'),
  ],
  [
    'torch evaluates expressions of an exported program',
    described({ flavor: 'torch', kind: 'export', artifact: 'm.pt2' }, 'm.pt2'),
  ],
  [
    'a native module is imported as a .py is',
    described({ flavor: 'torch', artifact: 'm.safetensors' }, 'm.safetensors', 'net.cpython-311-x86_64-linux-gnu.so'),
  ],
  [
    'Keras without its safe mode runs Lambda layers',
    described({ flavor: 'keras', artifact: 'm.keras', safe_mode: false }, 'm.keras'),
  ],
  [
    "names of one's own are imported for Keras",
    described({ flavor: 'keras', artifact: 'm.keras', custom: { a: { module: 'os', name: 'system' } } }, 'm.keras'),
  ],
  ['the older Keras file knows no safe mode', described({ flavor: 'keras', artifact: 'm.h5' }, 'm.h5')],
  [
    'modules of components are imported for spaCy',
    described({ flavor: 'spacy', artifact: 'model', imports: ['os'] }, 'model/meta.json'),
  ],
  [
    'weights of transformers may be a pickle',
    described({ flavor: 'transformers', artifact: 'm' }, 'm/config.json', 'm/pytorch_model.bin'),
  ],
  [
    'one part that is a pickle is enough',
    described(
      { flavor: 'diffusers', artifact: 'm' },
      'm/unet/diffusion_pytorch_model.safetensors',
      'm/vae/diffusion_pytorch_model.bin',
    ),
  ],
  [
    'a part of several models that unpickles',
    described(
      { flavor: 'models', parts: [{ name: 'a', directory: 'a', flavor: 'object', artifact: 'm.dat' }] },
      'a/m.dat',
    ),
  ],
  [
    'a part that nobody knows',
    described({ flavor: 'models', parts: [{ name: 'a', directory: 'a', flavor: 'new' }] }, 'a/m.dat'),
  ],
  [
    'parts within parts',
    described({ flavor: 'models', parts: [{ name: 'a', directory: 'a', flavor: 'models', parts: [] }] }, 'a/m.dat'),
  ],
])('loading runs code where the package denies it: %s', async (_, files) => {
  expect(await executesCode(files)).toBe(true);
});

test.each<[string, Record<string, string>]>([
  ['a skops archive', described({ flavor: 'sklearn', artifact: 'model.skops' }, 'model.skops')],
  [
    'a tree of modules',
    described({ flavor: 'torch', kind: 'module', artifact: 'm.safetensors' }, 'm.safetensors', 'module.json'),
  ],
  [
    'pickled weights that lie there as safetensors, too',
    described({ flavor: 'transformers', artifact: 'm' }, 'm/config.json', 'm/pytorch_model.bin', 'm/model.safetensors'),
  ],
  [
    "components that are spaCy's own",
    described({ flavor: 'spacy', artifact: 'model', imports: [] }, 'model/meta.json'),
  ],
  [
    'several models of data',
    described(
      {
        flavor: 'models',
        parts: [
          { name: 'a', directory: 'a', flavor: 'xgboost', artifact: 'm.ubj' },
          { name: 't', value: 1 },
        ],
      },
      'a/m.ubj',
    ),
  ],
])('loading runs no code: %s', async (_, files) => {
  expect(await executesCode(files)).toBe(false);
});

import type { Detected, Detector, Glance } from './flavor.ts';
import { isSealed, nameOf, PICKLE, SEAL_BYTES } from './pickles.ts';

const SKLEARN_LIKE = /^(?:sklearn\.|imblearn\.|xgboost\.sklearn$|lightgbm\.sklearn$)/;

/** Recognises a pickled estimator: the metadata says so, or the class that the pickle names does; a `.skops` archive. */
export const detectSklearn: Detector = async (glance) => {
  const { artifacts, pickles, metadata } = glance;
  const declared = metadata?.raw.flavor ?? metadata?.raw.framework;
  const pickle = artifacts.find(({ path }) => PICKLE.test(path));
  if (typeof declared === 'string' && /^(?:sklearn|scikit-learn)$/i.test(declared) && pickle !== undefined)
    return { flavor: 'sklearn', artifact: pickle.path, from: 'the metadata' };
  const estimator = pickles.find(({ summary }) => SKLEARN_LIKE.test(summary.root?.module ?? ''));
  if (estimator !== undefined) {
    const { path, summary } = estimator;
    return { flavor: 'sklearn', artifact: path, from: `the class ${nameOf(summary)} that ${path} names` };
  }
  const archive = artifacts.find(({ path }) => /\.skops$/i.test(path));
  if (archive === undefined) return await detectSealed(glance);
  return {
    flavor: 'sklearn',
    artifact: archive.path,
    from: `the skops archive ${archive.path}`,
    requirements: ['scikit-learn', 'skops'],
  };
};

/** What joblib wrote with bz2, lzma or lz4 is taken for an estimator, as most are: its class is known once it is loaded. */
async function detectSealed({ artifacts, read }: Glance): Promise<Detected | undefined> {
  const file = artifacts.find(({ path }) => /\.joblib(?:\.\w+)?$/i.test(path));
  if (file === undefined || !isSealed(await read(file, SEAL_BYTES))) return undefined;
  const from = `the compressed joblib file ${file.path}, which is not looked into`;
  return { flavor: 'sklearn', artifact: file.path, from, requirements: ['joblib', 'scikit-learn'] };
}

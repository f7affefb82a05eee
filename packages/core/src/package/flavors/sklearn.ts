import type { Detector } from './flavor.ts';
import { nameOf, PICKLE } from './pickles.ts';

const SKLEARN_LIKE = /^(?:sklearn\.|imblearn\.|xgboost\.sklearn$|lightgbm\.sklearn$)/;

/** Recognises a pickled estimator: the metadata says so, or the class that the pickle names does; a `.skops` archive. */
export const detectSklearn: Detector = ({ artifacts, pickles, metadata }) => {
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
  if (archive === undefined) return undefined;
  return {
    flavor: 'sklearn',
    artifact: archive.path,
    from: `the skops archive ${archive.path}`,
    requirements: ['scikit-learn', 'skops'],
  };
};

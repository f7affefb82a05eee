import type { Detector } from './flavor.ts';
import { PICKLE } from './pickles.ts';

/** Names the function that a package of the flavor `function` holds. */
export const FUNCTION_FILE = 'function.json';

/** Recognises a plain function by its `function.json`. */
export const detectFunction: Detector = ({ artifacts, file }) => {
  if (file(FUNCTION_FILE) === undefined) return undefined;
  const pickle = artifacts.find(({ path }) => PICKLE.test(path))?.path;
  return {
    flavor: 'function',
    artifact: pickle ?? artifacts[0]?.path ?? '.',
    from: `the file ${FUNCTION_FILE}`,
    executesCode: true,
  };
};

import type { Feature, Signature } from '../../signature.ts';
import { json } from '../decode.ts';
import type { SourceFile } from '../source-file.ts';
import type { Detected, Detector, Glance } from './flavor.ts';

const HEAD_BYTES = 1024 * 1024;
/** Parameters and the categories of pandas columns lie at the end. */
const TAIL_BYTES = 256 * 1024;
const MAX_CANDIDATES = 12;

/** Recognises LightGBM's text: names, kinds of columns and categories are in it. It does not say LightGBM's version. */
export const detectLightgbm: Detector = async (glance) => {
  const candidates = glance.files.filter(({ path }) => /(?:^|\/)[^/]*\.(?:txt|lgb|lgbm|model|bst)$/i.test(path));
  for (const file of candidates.slice(0, MAX_CANDIDATES)) {
    if ((await glance.read(file, 64)).toString('latin1').startsWith('tree\nversion=v')) return describe(file, glance);
  }
  return undefined;
};

async function describe(file: SourceFile, glance: Glance): Promise<Detected> {
  const head = linesOf((await glance.read(file, HEAD_BYTES)).toString('utf8'));
  const tail = (await glance.read(file, TAIL_BYTES, -TAIL_BYTES)).toString('utf8');
  const names = (head.get('feature_names') ?? '').split(' ').filter((name) => name !== '');
  const isNamed = names.some((name) => !/^Column_\d+$/.test(name));
  const objective = (head.get('objective') ?? '').split(' ')[0] ?? '';
  return {
    flavor: 'lightgbm',
    artifact: file.path,
    from: `the LightGBM model ${file.path}`,
    executesCode: false,
    requirements: ['lightgbm', ...(isNamed ? ['pandas'] : [])],
    understood: [
      { what: 'model', value: `Booster, ${objective}`, from: `${file.path}, format ${head.get('version') ?? ''}` },
    ],
    ...(names.length === 0 ? {} : { signature: signatureOf(names, isNamed, Number(head.get('num_class') ?? 1), tail) }),
  };
}

/** The lines `key=value` before the first tree. */
function linesOf(text: string): ReadonlyMap<string, string> {
  const lines = text.slice(0, Math.max(0, text.indexOf('\nTree=')) || text.length).split('\n');
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const equals = line.indexOf('=');
      return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1).trim()]];
    }),
  );
}

function signatureOf(names: readonly string[], isNamed: boolean, classes: number, tail: string): Signature {
  const categories = categoriesOf(tail);
  const inputs = names.map((name, index): Feature => {
    const known = categories.get(index);
    const column = isNamed ? name : `x${index}`;
    return known === undefined
      ? { name: column, type: 'float', nullable: true }
      : { name: column, type: 'categorical', categories: known, nullable: true };
  });
  const output: Feature =
    classes > 1
      ? { name: 'prediction', type: 'tensor', dtype: 'FP64', shape: [-1, classes] }
      : { name: 'prediction', type: 'float' };
  return { inputs, outputs: [output], origin: 'captured', partial: true };
}

/** Categories by the place of their column; empty where columns and categories do not pair. */
function categoriesOf(tail: string): ReadonlyMap<number, readonly (string | number)[]> {
  const told = /^\[categorical_feature: ([\d,]+)\]$/m.exec(tail)?.[1]?.split(',').map(Number) ?? [];
  const written = /^pandas_categorical:(\[.*\])$/m.exec(tail)?.[1];
  const lists = written === undefined ? undefined : parse(written);
  if (!Array.isArray(lists) || lists.length !== told.length) return new Map();
  return new Map(
    told.map((place, index) => {
      const list: unknown = lists[index];
      const values: readonly unknown[] = Array.isArray(list) ? list : [];
      return [place, values.filter((value) => typeof value === 'string' || typeof value === 'number')];
    }),
  );
}

function parse(text: string): unknown {
  try {
    return json(JSON.parse(text), 'the categories');
  } catch {
    // Cut off, or not as LightGBM writes it: then categories are not known.
    return undefined;
  }
}

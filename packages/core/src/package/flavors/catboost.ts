import { isJsonObject, type JsonValue } from '../../json.ts';
import type { Feature, Signature } from '../../signature.ts';
import { json } from '../decode.ts';
import { FlatTable } from './flatbuffer.ts';
import type { Detected, Detector, Glance } from './flavor.ts';

/** `CBM1`, the size of the description, then the description. */
const DESCRIPTION_AT = 8;
/** Larger models are recognised, not described. */
const MAX_BYTES = 16 * 1024 * 1024;
const CLASSES = ['Logloss', 'CrossEntropy', 'MultiClass', 'MultiClassOneVsAll'];

/** Fields of CatBoost's tables, by their order in its schema. */
const CORE = { trees: 1, info: 2 };
const TREES = { dimension: 0, categorical: 4, numeric: 5, text: 12 };
const NUMERIC = { place: 2, name: 4 };
const OTHER = { place: 1, name: 2 };

interface Description {
  readonly version?: string;
  readonly loss?: string;
  readonly classes: readonly (string | number)[];
  readonly inputs: readonly Feature[];
}

/** Recognises `.cbm`, CatBoost's own format: names, kinds of columns, classes and version are in the file. Its JSON, too. */
export const detectCatboost: Detector = async (glance) => {
  const file = glance.artifacts.find(({ path }) => /\.cbm$/i.test(path));
  if (file === undefined || (await glance.read(file, 4)).toString('latin1') !== 'CBM1') return await detectJson(glance);
  const found = file.sizeBytes > MAX_BYTES ? undefined : describe(await glance.read(file, MAX_BYTES));
  const version = found?.version;
  return {
    flavor: 'catboost',
    artifact: file.path,
    from: `the CatBoost model ${file.path}`,
    executesCode: false,
    requirements: [version === undefined ? 'catboost' : `catboost==${version}`],
    ...(found === undefined
      ? {}
      : {
          understood: [
            {
              what: 'model',
              value: found.loss ?? 'CatBoost',
              from: `${file.path}, written by CatBoost ${version ?? ''}`.trim(),
            },
          ],
          signature: signatureOf(found),
        }),
  };
};

/** CatBoost's JSON: borders of the columns, how it was trained, and its trees, whatever their order. */
async function detectJson(glance: Glance): Promise<Detected | undefined> {
  for (const { path } of glance.artifacts.filter((file) => /\.json$/i.test(file.path)).slice(0, 8)) {
    const model = await glance.json(path);
    if (!isJsonObject(model) || !isJsonObject(model.features_info)) continue;
    if (!Array.isArray(model.oblivious_trees) && !Array.isArray(model.trees)) continue;
    const info = isJsonObject(model.model_info) ? model.model_info : {};
    const version = versionOf(info.catboost_version_info);
    return {
      flavor: 'catboost',
      artifact: path,
      from: `the CatBoost model ${path}`,
      executesCode: false,
      requirements: [version === undefined ? 'catboost' : `catboost==${version}`],
    };
  }
  return undefined;
}

function versionOf(told: JsonValue | undefined): string | undefined {
  return typeof told === 'string' ? /tags\/v(\d+(?:\.\d+)+)/.exec(told)?.[1] : undefined;
}

function signatureOf({ inputs, classes, loss }: Description): Signature | undefined {
  if (inputs.length === 0) return undefined;
  return { inputs, outputs: [outputOf(classes, loss)], origin: 'captured', partial: true };
}

function outputOf(classes: readonly (string | number)[], loss: string | undefined): Feature {
  const name = 'prediction';
  if (classes.some((value) => typeof value === 'string')) return { name, type: 'categorical', categories: classes };
  return { name, type: classes.length > 0 || CLASSES.includes(loss ?? '') ? 'integer' : 'float' };
}

function describe(bytes: Buffer): Description | undefined {
  try {
    const core = FlatTable.root(bytes, DESCRIPTION_AT);
    const info = new Map((core.tables(CORE.info) ?? []).map((entry) => [entry.text(0) ?? '', entry.text(1) ?? '']));
    const trees = core.table(CORE.trees);
    return {
      version: versionOf(info.get('catboost_version_info')),
      loss: lossOf(parse(info.get('params'))),
      classes: classesOf(parse(info.get('class_params'))),
      inputs: trees === undefined ? [] : inputsOf(trees),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

function inputsOf(trees: FlatTable): readonly Feature[] {
  const numeric = trees.tables(TREES.numeric).map((column) => place(column, NUMERIC, 'float'));
  const others = [...trees.tables(TREES.categorical), ...trees.tables(TREES.text)];
  const columns = [...numeric, ...others.map((column) => place(column, OTHER, 'string'))].sort((a, b) => a.at - b.at);
  const isCounted = columns.every(({ at, name }) => name === '' || name === String(at));
  return columns.map(({ at, name, type }) => ({ name: isCounted ? `x${at}` : name, type, nullable: true }));
}

function place(
  column: FlatTable,
  fields: { readonly place: number; readonly name: number },
  type: 'float' | 'string',
): { readonly at: number; readonly name: string; readonly type: 'float' | 'string' } {
  return { at: column.integer(fields.place) ?? -1, name: column.text(fields.name) ?? '', type };
}

function lossOf(params: JsonValue | undefined): string | undefined {
  const loss = isJsonObject(params) ? params.loss_function : undefined;
  const type = isJsonObject(loss) ? loss.type : undefined;
  return typeof type === 'string' ? type : undefined;
}

function classesOf(params: JsonValue | undefined): readonly (string | number)[] {
  const names = isJsonObject(params) ? params.class_names : undefined;
  if (!Array.isArray(names)) return [];
  return names.filter((name): name is string | number => typeof name === 'string' || typeof name === 'number');
}

function parse(text: string | undefined): JsonValue | undefined {
  try {
    return text === undefined ? undefined : json(JSON.parse(text), 'the model');
  } catch {
    // What CatBoost keeps there is its own affair.
    return undefined;
  }
}

import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import type { Feature, Signature } from '../../signature.ts';
import { json } from '../decode.ts';
import type { SourceFile } from '../source-file.ts';
import type { Detected, Detector, Glance } from './flavor.ts';
import { lastUbjsonValue, readUbjson } from './ubjson.ts';

/** Names and categories lie at the start of a model file, counts and the version at its end. */
const HEAD_BYTES = 1024 * 1024;
const TAIL_BYTES = 16 * 1024;
/** More features than this are not listed. */
const MAX_FEATURES = 10_000;

interface Model {
  readonly learner: JsonObject;
  readonly params: JsonObject;
  readonly version: string;
}

/** Recognises models that XGBoost saved (`.ubj`, `.json`): names, categories, kind and version are in the file. */
export const detectXgboost: Detector = async (glance) => {
  const candidates = glance.artifacts
    .filter(({ path }) => /\.(?:ubj|json|model|xgb|bin|deprecated)$/i.test(path))
    .slice(0, 8);
  for (const file of candidates) {
    const model = await readModel(file, glance);
    if (model !== undefined) return describe(file.path, model);
    const old = describeOld(file.path, await glance.read(file, OLD_HEAD_BYTES));
    if (old !== undefined) return old;
  }
  return undefined;
};

const OLD_HEAD_BYTES = 16;

/** The binary format of XGBoost before 3.1: `binf`, the base score, the numbers of columns and classes; no names. */
function describeOld(path: string, head: Buffer): Detected | undefined {
  if (head.length < OLD_HEAD_BYTES || head.toString('latin1', 0, 4) !== 'binf') return undefined;
  const [num_feature, num_class] = [head.readUInt32LE(8), head.readInt32LE(12)];
  return {
    flavor: 'xgboost',
    artifact: path,
    from: `the XGBoost model ${path}`,
    executesCode: false,
    requirements: ['xgboost<3.1'],
    understood: [
      { what: 'model', value: 'Booster, binary format', from: `${path}; XGBoost 3.1 and later cannot read it` },
    ],
    signature: signatureOf({}, { num_feature, num_class }, undefined, ''),
  };
}

async function readModel(file: SourceFile, glance: Glance): Promise<Model | undefined> {
  const start = (await glance.read(file, 64)).toString('latin1');
  const isText = start.startsWith('{"learner":');
  if (!isText && !/^\{L[\s\S]{8}learner\{/.test(start)) return undefined;
  const head = await glance.read(file, HEAD_BYTES);
  const tail = await glance.read(file, TAIL_BYTES, -TAIL_BYTES);
  return isText ? fromText(head.toString('utf8'), tail.toString('utf8')) : fromBinary(head, tail);
}

function fromBinary(head: Buffer, tail: Buffer): Model | undefined {
  const document = readUbjson(head);
  const learner = at(document, 'learner');
  const version = lastUbjsonValue(tail, 'version');
  const params = lastUbjsonValue(tail, 'learner_model_param');
  const objective = lastUbjsonValue(tail, 'objective');
  return model({ ...learner, ...(objective === undefined ? {} : { objective }) }, params, version);
}

function fromText(head: string, tail: string): Model | undefined {
  const trees = head.indexOf(',"gradient_booster":');
  const parameters = tail.lastIndexOf('"learner_model_param":');
  const before = trees < 0 ? undefined : parse(`${head.slice(0, trees)}}}`);
  const after = parameters < 0 ? undefined : parse(`{"learner":{${tail.slice(parameters)}`);
  if (before === undefined || after === undefined) return undefined;
  const cats = parse(balanced(head, head.indexOf('"cats":', trees) + 7)) ?? {};
  const learner = { ...at(before, 'learner'), ...at(after, 'learner'), gradient_booster: { model: { cats } } };
  return model(learner, at(after, 'learner').learner_model_param, isJsonObject(after) ? after.version : undefined);
}

function model(learner: JsonObject, params: JsonValue | undefined, version: JsonValue | undefined): Model | undefined {
  if (!isJsonObject(params) || !Array.isArray(version)) return undefined;
  return { learner, params, version: version.join('.') };
}

/** An object within braces, from where it opens; numbers and keys only, so that braces are not in texts. */
function balanced(text: string, start: number): string {
  let depth = 0;
  for (let index = start; start >= 7 && index < text.length; index++) {
    if (text[index] === '{') depth++;
    if (text[index] === '}' && --depth === 0) return text.slice(start, index + 1);
  }
  return '';
}

function parse(text: string): JsonValue | undefined {
  try {
    return json(JSON.parse(text), 'the model');
  } catch {
    // Not as XGBoost writes it: then nothing is known of it.
    return undefined;
  }
}

function describe(path: string, { learner, params, version }: Model): Detected {
  const wrapper = parse(String(at(learner, 'attributes').scikit_learn ?? 'null'));
  const kind = isJsonObject(wrapper) ? String(wrapper._estimator_type) : undefined;
  const objective = String(at(learner, 'objective').name ?? '');
  const names = textsOf(learner.feature_names);
  return {
    flavor: 'xgboost',
    artifact: path,
    from: `the XGBoost model ${path}`,
    executesCode: false,
    requirements: [`xgboost==${version}`, ...(kind ? ['scikit-learn'] : []), ...(names.length > 0 ? ['pandas'] : [])],
    understood: [
      {
        what: 'model',
        value: `${kind ?? 'Booster'}, ${objective}`,
        from: `${path}, written by XGBoost ${version}`,
      },
    ],
    signature: signatureOf(learner, params, kind, objective),
  };
}

function signatureOf(
  learner: JsonObject,
  params: JsonObject,
  kind: string | undefined,
  objective: string,
): Signature | undefined {
  const names = textsOf(learner.feature_names);
  const count = Number(params.num_feature ?? 0);
  if (Math.max(names.length, count) > MAX_FEATURES || (names.length === 0 && count === 0)) return undefined;
  const listed = names.length > 0 ? names : Array.from({ length: count }, (_, index) => `x${index}`);
  const types = textsOf(learner.feature_types);
  const categories = categoriesOf(learner);
  const inputs = listed.map((name, index): Feature => {
    const known = types[index] === 'c' ? categories[index] : undefined;
    return known === undefined
      ? { name, type: 'float', nullable: true }
      : { name, type: 'categorical', categories: known, nullable: true };
  });
  return { inputs, outputs: outputsOf(params, kind, objective), origin: 'captured', partial: true };
}

function outputsOf(params: JsonObject, kind: string | undefined, objective: string): readonly Feature[] {
  if (kind === 'classifier') return [{ name: 'prediction', type: 'integer' }];
  if (objective === '') return [];
  const classes = Number(params.num_class ?? 0);
  if (objective === 'multi:softprob' && classes > 1)
    return [{ name: 'prediction', type: 'tensor', dtype: 'FP32', shape: [-1, classes] }];
  return Number(params.num_target ?? 1) > 1 ? [] : [{ name: 'prediction', type: 'float' }];
}

/** Categories by column, kept by XGBoost 3.1 and later: numbers, or texts end to end as bytes with their places. */
function categoriesOf(learner: JsonObject): readonly (readonly (string | number)[] | undefined)[] {
  const booster = at(learner, 'gradient_booster');
  const trees = booster.model === undefined ? at(booster, 'gbtree') : booster;
  const { enc } = at(at(trees, 'model'), 'cats');
  if (!Array.isArray(enc)) return [];
  return enc.map((column: JsonValue) => {
    const values = numbersOf(at({ column }, 'column').values);
    const offsets = at({ column }, 'column').offsets;
    if (offsets === undefined) return values;
    const bytes = Buffer.from(values.map((value) => value & 0xff));
    const places = numbersOf(offsets);
    // Texts lie end to end; those that overlap could be many times as long as the file.
    if (places.some((place, index) => place < (places[index - 1] ?? 0))) return [];
    return places.slice(1).map((end, index) => bytes.toString('utf8', places[index], end));
  });
}

function at(value: JsonValue | undefined, key: string): JsonObject {
  const found = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(found) ? found : {};
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function numbersOf(value: JsonValue | undefined): readonly number[] {
  return Array.isArray(value) ? value.filter((item): item is number => typeof item === 'number') : [];
}

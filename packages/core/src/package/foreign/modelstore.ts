import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Capture } from '../../capture.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { parseCapture } from '../captured.ts';
import { distributionsOf } from '../distributions.ts';
import type { Inference } from '../package.ts';
import { type ForeignFolder, parseJson } from './foreign-folder.ts';
import { flavorText, type ForeignFinding, mapOf, metadataText, pinnedText, telling, textOf } from './foreign.ts';

const FILE = 'model-info.json';

interface Library {
  readonly flavor: string;
  readonly file: RegExp;
  /** What else its `flavor.json` says. */
  readonly more?: JsonObject;
}

/** What modelstore's managers write, and what loads it here; others are recognised by their files. */
const LIBRARIES: Readonly<Record<string, Library>> = {
  sklearn: { flavor: 'sklearn', file: /^model\.joblib$/ },
  causalml: { flavor: 'sklearn', file: /^model\.joblib$/ },
  skorch: { flavor: 'sklearn', file: /^model\.joblib$/ },
  xgboost: { flavor: 'xgboost', file: /^model\.(?:xgboost|ubj)$/ },
  lightgbm: { flavor: 'lightgbm', file: /^model\.txt$/ },
  catboost: { flavor: 'catboost', file: /^model\.cbm$/ },
  onnx: { flavor: 'onnx', file: /^model\.onnx$/ },
  prophet: { flavor: 'prophet', file: /^prophet_model\.json$/ },
  statsmodels: { flavor: 'statsmodels', file: /^model\.pkl$/, more: { executesCode: true } },
  pytorch: {
    flavor: 'torch',
    file: /^model\.pt$/,
    more: { kind: 'pickle', input: 'tensors', executesCode: true },
  },
  fastai: { flavor: 'fastai', file: /^learner\.pkl$/, more: { executesCode: true } },
  shap: { flavor: 'shap', file: /^explainer\.joblib$/, more: { executesCode: true } },
  tensorflow: { flavor: 'keras', file: /^model(?:\/model)?\.keras$/ },
  keras: { flavor: 'keras', file: /^model(?:\/model)?\.keras$/ },
};

/** Classes that a library's own files do not name. */
const CLASSES: Readonly<Record<string, string>> = { xgboost: 'xgboost.sklearn', catboost: 'catboost.core' };

/** Reads an archive that modelstore uploaded, with the metadata that its store keeps beside it. */
export async function readModelstore(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  const info = await folder.json(FILE);
  if (!isJsonObject(info) || typeof info.library !== 'string') return undefined;
  const { library } = info;
  const { record, id } = await readRecord(folder);
  const model = mapOf(record.model);
  const code = mapOf(record.code);
  const description = library === 'multiple-models' ? describeParts(info, folder) : describe(info, folder);
  return {
    kind: `a modelstore archive${typeof record.modelstore === 'string' ? ` (modelstore ${record.modelstore})` : ''}`,
    from: FILE,
    written: {
      ...(description === undefined ? {} : { 'flavor.json': flavorText(description) }),
      'requirements.txt': pinnedText(distributions(mapOf(code.dependencies))),
      'metadata.yaml': metadataText({
        name: textOf(model.domain),
        author: textOf(code.user),
        created_date: textOf(code.created)?.slice(0, 10).replaceAll('/', '-'),
        python_version: /^python:([\d.]+)/.exec(textOf(code.runtime) ?? '')?.[1],
        hyperparameters: telling(mapOf(model.parameters)),
        modelstore: telling({ library, type: info.type, model_id: id, extra: record.extra, data: model.data }),
      }),
    },
    captured: capturedOf(info, record),
    understood: understood(info, id),
  };
}

/** One model, by what its library's manager writes. */
function describe(info: JsonObject, folder: ForeignFolder): JsonObject | undefined {
  const library = textOf(info.library) ?? '';
  const known = LIBRARIES[library];
  const artifact = folder.files.find(({ path }) => known?.file.test(path))?.path;
  if (known === undefined || artifact === undefined) return undefined;
  const [home, type] = [CLASSES[library], textOf(info.type)];
  const isNative = type === 'Booster' || type === undefined || home === undefined;
  return { flavor: known.flavor, artifact, ...(isNative ? {} : { class: `${home}.${type}` }), ...known.more };
}

/** A model and what explains it: the model answers. Each part is called as modelstore calls it, by its library. */
function describeParts(info: JsonObject, folder: ForeignFolder): JsonObject | undefined {
  const models = partsOf(info);
  const parts = models.flatMap((one): JsonObject[] => {
    const described = describe(one, folder);
    return described === undefined ? [] : [{ ...described, name: textOf(one.library) ?? '', directory: '.' }];
  });
  const main = parts.find(({ flavor }) => flavor !== 'shap');
  if (main === undefined || parts.length < models.length) return undefined;
  return { flavor: 'models', kind: 'dict', main: textOf(main.name) ?? '', parts };
}

function understood(info: JsonObject, id: string | undefined): Inference[] {
  return [
    { what: 'model', value: [info, ...partsOf(info)].map(labelOf).join(', '), from: `from ${FILE}` },
    ...(id === undefined ? [] : [{ what: 'model id', value: id, from: 'from the metadata that modelstore keeps' }]),
  ];
}

function partsOf({ models }: JsonObject): JsonObject[] {
  return Array.isArray(models) ? models.filter((one: JsonValue) => isJsonObject(one)) : [];
}

function labelOf({ library, type }: JsonObject): string {
  return `${textOf(library) ?? ''} ${textOf(type) ?? ''}`.trim();
}

function capturedOf(info: JsonObject, record: JsonObject): Capture {
  const git = mapOf(mapOf(record.code).git);
  const tags = Object.entries(mapOf(record.extra)).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[key, value]] : [],
  );
  return parseCapture(
    telling({
      tags: Object.fromEntries(tags),
      lineage: telling({
        git:
          typeof git.sha === 'string'
            ? { commit: git.sha, dirty: git.local_changes === true, ...telling({ branch: git.branch }) }
            : undefined,
      }),
      model: telling({ class: textOf(info.type), framework: info.library }),
    }),
  );
}

/** The names that modules are imported by, as distributions; those of the standard library (`pickle: 4.0`) are none. */
function distributions(modules: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(modules).flatMap(([module, version]): [string, JsonValue][] =>
      typeof version === 'string' ? distributionsOf([module]).map((name) => [name, version]) : [],
    ),
  );
}

/** `<domain>/versions/<id>.json`, two folders above `<domain>/<time>/<id>/artifacts.tar.gz`, or a JSON file beside it. */
async function readRecord(folder: ForeignFolder): Promise<{ readonly record: JsonObject; readonly id?: string }> {
  if (folder.archive === undefined) return { record: {} };
  const above = dirname(folder.archive);
  const id = basename(above);
  for (const place of [
    join(above, '..', '..', 'versions', `${id}.json`),
    join(above, `${id}.json`),
    join(above, 'metadata.json'),
  ]) {
    const record = parseJson(await readFile(place, 'utf8').catch(() => undefined));
    if (!isJsonObject(record) || !isJsonObject(record.model)) continue;
    return { record, id: textOf(record.model.model_id) ?? id };
  }
  return { record: {} };
}

import { isJsonObject, type JsonObject } from '../../json.ts';
import type { Feature, Signature } from '../../signature.ts';
import type { Detector } from './flavor.ts';
import { nameOf } from './pickles.ts';

/** Recognises results that statsmodels pickled, by the class that the pickle names. */
export const detectStatsmodels: Detector = ({ pickles }) => {
  const found = pickles.find(({ summary }) => summary.root?.module.startsWith('statsmodels.') === true);
  return (
    found && {
      flavor: 'statsmodels',
      artifact: found.path,
      from: `the class ${nameOf(found.summary)} that ${found.path} names`,
      requirements: ['pandas', 'scipy', 'statsmodels'],
      executesCode: true,
    }
  );
};

/** Recognises the JSON that Prophet writes: it ends with Prophet's version. */
export const detectProphet: Detector = async ({ artifacts, read, json }) => {
  for (const file of artifacts.filter(({ path }) => /\.json$/i.test(path)).slice(0, 8)) {
    if (!(await read(file, 64)).toString('latin1').startsWith('{"growth"')) continue;
    const version = /"__prophet_version": ?"([\w.]+)"/.exec((await read(file, 4096, -4096)).toString('utf8'))?.[1];
    if (version === undefined) continue;
    const model = await json(file.path);
    return {
      flavor: 'prophet',
      artifact: file.path,
      from: `the Prophet model ${file.path}`,
      executesCode: false,
      requirements: ['pandas', `prophet==${version}`],
      ...(isJsonObject(model) ? { signature: signatureOf(model) } : {}),
    };
  }
  return undefined;
};

function signatureOf(model: JsonObject): Signature {
  const inputs: Feature[] = [{ name: 'ds', type: 'datetime' }];
  if (model.growth === 'logistic') inputs.push({ name: 'cap', type: 'float' });
  if (model.growth === 'logistic' && model.logistic_floor === true) inputs.push({ name: 'floor', type: 'float' });
  for (const name of namesOf(model.extra_regressors)) inputs.push({ name, type: 'float' });
  const outputs = model.uncertainty_samples === 0 ? ['yhat'] : ['yhat', 'yhat_lower', 'yhat_upper'];
  return { inputs, outputs: outputs.map((name) => ({ name, type: 'float' })), origin: 'captured', partial: true };
}

/** Ordered dictionaries are written as a list of names and the dictionary. */
function namesOf(written: unknown): readonly string[] {
  const names: unknown = Array.isArray(written) ? written[0] : undefined;
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
}

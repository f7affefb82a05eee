import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import type { Feature, Signature } from '../../signature.ts';
import { isIngotError } from '../../errors.ts';
import { parseDatatype } from '../metadata-features.ts';
import { readZip, type ZipItem } from '../foreign/zip-read.ts';
import type { Detected, Detector, Glance } from './flavor.ts';

const MAX_CONFIG = 16 * 1024 * 1024;

/** Recognises a `.keras` archive, with the inputs that its configuration names. Nothing of it is loaded. */
export const detectKeras: Detector = async (glance): Promise<Detected | undefined> => {
  const { artifacts } = glance;
  const archives = artifacts.filter(({ path }) => /\.keras$/i.test(path));
  const [archive] = archives;
  if (archive === undefined) return await detectHdf5(glance);
  if (archives.length > 1) return undefined;
  const { config, version } = await readArchive(archive.absolute, archive.path);
  if (config === undefined) return undefined;
  const own = foreignClasses(config);
  const hasLambda = [...parts(config)].some((part) => part.class_name === '__lambda__');
  const signature = signatureOf(config);
  return {
    flavor: 'keras',
    artifact: archive.path,
    from: `the Keras archive ${archive.path}`,
    requirements: [version === undefined ? 'keras' : `keras==${version}`, 'tensorflow'],
    executesCode: hasLambda || own.length > 0,
    understood: [
      { what: 'class', value: `keras.${String(config.class_name)}`, from: `the configuration in ${archive.path}` },
    ],
    ...(signature === undefined ? {} : { signature }),
    problems:
      own.length === 0
        ? []
        : [
            {
              severity: 'warning',
              rule: 'keras.own-classes',
              message: `${archive.path} uses ${own.join(', ')}, which Keras does not bring`,
              file: archive.path,
              fix: 'push it from Python, where its classes are known: ingot.push(model, "name")',
            },
          ],
  };
};

const HDF5 = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** A whole model in HDF5 names its configuration and the Keras that wrote it; a file of weights alone does not. */
async function detectHdf5({ artifacts, read }: Glance): Promise<Detected | undefined> {
  const [file, other] = artifacts.filter(({ path }) => /\.(?:h5|hdf5)$/i.test(path));
  if (file === undefined || other !== undefined) return undefined;
  const head = await read(file, MAX_CONFIG);
  if (!head.subarray(0, HDF5.length).equals(HDF5)) return undefined;
  if (!head.includes('model_config') || !head.includes('keras_version')) return undefined;
  const from = `the Keras model ${file.path}`;
  return { flavor: 'keras', artifact: file.path, from, requirements: ['keras', 'tensorflow'], executesCode: true };
}

async function readArchive(
  absolute: string,
  path: string,
): Promise<{ readonly config?: JsonObject; readonly version?: string }> {
  try {
    const items = await readZip(absolute, path);
    const config = await readJson(items, 'config.json');
    const { keras_version: version } = (await readJson(items, 'metadata.json')) ?? {};
    return { ...(config && { config }), ...(typeof version === 'string' ? { version } : {}) };
  } catch (error) {
    if (!isIngotError(error, 'invalid-package')) throw error;
    // Something else that is called so: it is stored as a file.
    return {};
  }
}

async function readJson(items: readonly ZipItem[], name: string): Promise<JsonObject | undefined> {
  const item = items.find(({ path }) => path === name);
  if (item === undefined || item.sizeBytes > MAX_CONFIG) return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of item.open()) pieces.push(piece);
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Every serialized object within a configuration. */
function* parts(value: JsonValue | undefined): Generator<JsonObject> {
  const open: (JsonValue | undefined)[] = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (isJsonObject(one) && 'class_name' in one) yield one;
    // The last one is taken first: so they come in the order of the file.
    if (typeof one === 'object' && one !== null) for (const inner of Object.values(one).reverse()) open.push(inner);
  }
}

function foreignClasses(config: JsonObject): string[] {
  const names = [...parts(config)].flatMap(({ module, registered_name: name, class_name: kind }) => {
    const isKeras = typeof module === 'string' && /^(?:keras|keras_hub|builtins|tensorflow)(?:\.|$)/.test(module);
    if (isKeras || kind === '__lambda__') return [];
    if (typeof name === 'string') return [name];
    return typeof module === 'string' ? [`${module}.${String(kind)}`] : [];
  });
  return [...new Set(names)];
}

/** What the input layers take; what comes out is known only when the model runs. */
function signatureOf(config: JsonObject): Signature | undefined {
  const layers = [...parts(config)].filter(({ class_name: kind }) => kind === 'InputLayer');
  const inputs = layers.flatMap(({ config: layer }) => (isJsonObject(layer) ? featureOf(layer, layers.length) : []));
  return inputs.length === 0 ? undefined : { inputs, outputs: [], origin: 'graph', partial: true };
}

function featureOf({ name, batch_shape: shape, dtype }: JsonObject, count: number): Feature[] {
  if (typeof name !== 'string' || !Array.isArray(shape)) return [];
  const datatype = typeof dtype === 'string' ? parseDatatype(dtype) : undefined;
  const sizes = shape.map((size: JsonValue) => (typeof size === 'number' ? size : -1));
  return [{ name: count === 1 ? 'input' : name, type: 'tensor', ...(datatype && { dtype: datatype }), shape: sizes }];
}

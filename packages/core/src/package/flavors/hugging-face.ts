import { posix } from 'node:path';
import { isJsonObject, type JsonObject } from '../../json.ts';
import type { Flavor, Inference, Problem } from '../package.ts';
import type { Detected, Detector, Glance } from './flavor.ts';
import { holdsPickledWeights } from './runs-code.ts';

const WEIGHTS = /(?:^|\/)(?:model|pytorch_model|adapter_model|diffusion_pytorch_model)[^/]*\.(?:safetensors|bin)$/i;
const HUB_NAME = /^[A-Za-z0-9][\w.-]{0,95}(?:\/[A-Za-z0-9][\w.-]{0,95})?$/;
const MADE_WITH = 'transformers_version';

/** Recognises folders of the Hugging Face Hub, the most special first: pipelines of images, adapters, sentences, models. */
export const detectHuggingFace: Detector = async (glance) =>
  (await detectDiffusers(glance)) ??
  (await detectAdapter(glance)) ??
  (await detectSentences(glance)) ??
  (await detectTransformers(glance));

async function detectDiffusers(glance: Glance): Promise<Detected | undefined> {
  const found = await described(glance, 'model_index.json');
  if (found === undefined || typeof found.said._class_name !== 'string') return undefined;
  const version = found.said._diffusers_version;
  return {
    ...shared(glance, 'diffusers', found),
    requirements: [pinned('diffusers', version), 'torch', 'transformers', 'safetensors'],
    understood: [{ what: 'model', value: found.said._class_name, from: found.path }],
  };
}

async function detectAdapter(glance: Glance): Promise<Detected | undefined> {
  const found = await described(glance, 'adapter_config.json');
  if (found === undefined || typeof found.said.peft_type !== 'string') return undefined;
  const base = found.said.base_model_name_or_path;
  const understood: Inference[] = [{ what: 'adapter', value: found.said.peft_type, from: found.path }];
  if (typeof base === 'string' && base !== '') understood.push({ what: 'base model', value: base, from: found.path });
  return {
    ...shared(glance, 'peft', found),
    requirements: [pinned('peft', found.said.peft_version), 'transformers', 'torch', 'safetensors'],
    understood,
    problems: typeof base === 'string' && HUB_NAME.test(base) ? [] : [baseIsElsewhere(found, base)],
  };
}

/** Whoever loads an adapter reads no folder only because a package names it. */
function baseIsElsewhere({ path }: Found, base: unknown): Problem {
  const named = typeof base === 'string' && base !== '';
  return {
    severity: 'warning',
    rule: 'peft.base-elsewhere',
    message: named
      ? `${path} names the base model ${base}, a folder of this machine: it can be stored, and served only by who allows that folder (INGOT_BASE_MODELS)`
      : `${path} names no base model, so the adapter can be stored, but not served`,
    file: path,
    fix: 'push from Python, which brings the base along: ingot.push(model, "NAME"); or push model.merge_and_unload()',
  };
}

async function detectSentences(glance: Glance): Promise<Detected | undefined> {
  const path = shortest(glance, 'modules.json');
  const parts = path === undefined ? undefined : await glance.json(path);
  if (path === undefined || !Array.isArray(parts)) return undefined;
  const types = parts.flatMap((part) => (isJsonObject(part) && typeof part.type === 'string' ? [part.type] : []));
  if (!types.some((type) => type.startsWith('sentence_transformers.'))) return undefined;
  const folder = posix.dirname(path);
  const config = await glance.json(posix.join(folder, 'config_sentence_transformers.json'));
  const versions = isJsonObject(config) && isJsonObject(config.__version__) ? config.__version__ : {};
  return {
    ...shared(glance, 'sentence-transformers', { path, said: {} }),
    requirements: [
      pinned('sentence-transformers', versions.sentence_transformers),
      pinned('transformers', versions.transformers),
      'torch',
      'safetensors',
    ],
    understood: [
      { what: 'model', value: types.map((type) => type.slice(type.lastIndexOf('.') + 1)).join(', '), from: path },
    ],
    ...(isCrossEncoder(config)
      ? {}
      : { signature: { inputs: [{ name: 'text', type: 'string' }], outputs: [], origin: 'captured', partial: true } }),
  };
}

/** It takes pairs of texts, under whatever names. */
function isCrossEncoder(config: unknown): boolean {
  return isJsonObject(config) && config.model_type === 'CrossEncoder';
}

async function detectTransformers(glance: Glance): Promise<Detected | undefined> {
  const found = await described(glance, 'config.json');
  if (found === undefined || typeof found.said.model_type !== 'string') return undefined;
  const folder = posix.dirname(found.path);
  if (!glance.files.some(({ path }) => posix.dirname(path) === folder && WEIGHTS.test(path))) return undefined;
  const names = Array.isArray(found.said.architectures) ? found.said.architectures.map(String) : [];
  const own = isJsonObject(found.said.auto_map);
  return {
    ...shared(glance, 'transformers', found),
    requirements: [pinned('transformers', found.said[MADE_WITH]), 'torch', 'safetensors'],
    understood: [{ what: 'model', value: names.join(', ') || found.said.model_type, from: found.path }],
    problems: own
      ? [
          {
            severity: 'warning',
            rule: 'transformers.own-code',
            message: `${found.path} names code of the folder's own (auto_map), which is not run`,
            file: found.path,
            fix: 'write an interface.py that loads the model, and read that code first',
          },
        ]
      : [],
  };
}

interface Found {
  readonly path: string;
  readonly said: JsonObject;
}

async function described(glance: Glance, name: string): Promise<Found | undefined> {
  const path = shortest(glance, name);
  const said = path === undefined ? undefined : await glance.json(path);
  return path !== undefined && isJsonObject(said) ? { path, said } : undefined;
}

/** The file of a name that lies nearest to the top. */
function shortest({ files }: Glance, name: string): string | undefined {
  const found = files.map(({ path }) => path).filter((path) => posix.basename(path) === name);
  return found.sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1))[0];
}

function shared({ files }: Glance, flavor: Flavor, { path }: Found) {
  const artifact = posix.dirname(path);
  return { flavor, artifact, from: `the file ${path}`, executesCode: holdsPickledWeights({ artifact, files }) };
}

/** A line of requirements at the version that a file names, where that is a released one. */
function pinned(name: string, version: unknown): string {
  return typeof version === 'string' && /^\d+(?:\.\d+)+(?:\.post\d+)?$/.test(version) ? `${name}==${version}` : name;
}

/**
 * Says what an image is made of: of one model with its environment and the server, of the server alone (a *generic*
 * image), or of a model's files alone.
 */

import { join } from 'node:path';
import type { BaseImage } from '@ingot/core/deploy/base-image';
import { bytecodeLayer } from '@ingot/core/deploy/bytecode-layer';
import { environmentLayer } from '@ingot/core/deploy/environment-layer';
import type { ImageLayer } from '@ingot/core/deploy/image-layer';
import type { ImagePlan, PlanImage } from '@ingot/core/deploy/image-plan';
import { modelLayer } from '@ingot/core/deploy/model-layer';
import { onnxLayer } from '@ingot/core/deploy/onnx-layer';
import { serverLayer } from '@ingot/core/deploy/server-layer';
import { IngotError } from '@ingot/core/errors';
import type { OciOptions } from '@ingot/core/oci/oci-place';
import { environmentKey } from '@ingot/serve/environment/prebuilt';
import type { EnvironmentTarget } from '@ingot/serve/environment/target';
import type { TargetOptions } from '@ingot/serve/environment/target-environment';
import { forPython } from '@ingot/serve/runtime/onnx/load-in-python';
import { cacheRoot } from '../address.ts';
import type { Context } from '../context.ts';
import { startedFrom } from '../package-environment.ts';
import { warningsOf } from '../open.ts';
import { engineFiles } from './engine-files.ts';
import { type EnvironmentPlan, environmentFiles } from './environment-files.ts';
import { imageLabels } from './image-labels.ts';
import { imageRun } from './image-run.ts';
import type { ModelToBake } from './model-to-bake.ts';
import { nodeFiles } from './node-files.ts';
import { onnxFiles } from './onnx-files.ts';
import { pythonOfBase } from './python-of-base.ts';

/** What goes into an image. */
export interface ImageContents {
  /** The models that are baked in; with none the image is generic. */
  readonly models: readonly ModelToBake[];
  /** Of a generic image: the model whose environment lies in it. Default: none. */
  readonly environmentOf?: ModelToBake;
  /** Only the model's files, for volumes and KServe's modelcar: they lie in `/models`. Default: false. */
  readonly modelOnly?: boolean;
  /** `--python`: `3.11`, or the path of an interpreter in the base. Default: the one found there. */
  readonly python?: string;
  /** A package's `setup.sh`, which cannot run while an image is baked, is left out. Default: such a package is refused. */
  readonly withoutSetup?: boolean;
  /** Whether environment and server are compressed. Default: false. */
  readonly gzip?: boolean;
}

/**
 * Gives what bakes an image of these contents onto a base.
 * @throws IngotError when it is called: `refused` (a requirement that is no named package, a setup script),
 *   `environment-mismatch` (the base has no such Python), `environment-failed` (a package has no wheel for the platform).
 */
export function planImage(contents: ImageContents, context: Context): PlanImage {
  return async (base, options) => {
    const { models, modelOnly = false } = contents;
    // One model lies where KServe's modelcar looks; several have a directory each.
    if (modelOnly) {
      // Nothing of it is asked, but what may not be unpacked is passed on to nobody.
      if (base.layers.length > 0) await base.facts(options);
      return {
        layers: models.map((model) => modelLayer({ ...model, ...(models.length === 1 && { at: 'models' }) })),
        run: {},
        labels: imageLabels(models),
      };
    }
    return planServing(contents, base, context, options);
  };
}

async function planServing(
  contents: ImageContents,
  base: BaseImage,
  context: Context,
  options: OciOptions = {},
): Promise<ImagePlan> {
  const { models, environmentOf } = contents;
  const wanted = environmentOf === undefined ? models : [environmentOf];
  for (const model of wanted) checkSetup(model, contents);
  const facts = await base.facts(options);
  const tools = targetOptions(context, options.signal);
  const target: EnvironmentTarget = {
    architecture: base.platform.architecture,
    libc: facts.libc ?? { name: 'glibc' },
    python: facts.python?.version ?? '3.11',
  };
  const onnx = wanted.some(isGraph) ? await onnxFiles(target) : undefined;
  const inPython = onnx === undefined ? wanted : wanted.filter((model) => !isGraph(model));
  const isGeneric = models.length === 0;
  const engine = await engineFiles();
  const layers: ImageLayer[] = [];
  const bytecode: ImageLayer[] = [];
  if (isGeneric || inPython.length > 0) {
    const python = pythonOfBase(base.name, facts, contents.python);
    const plan = {
      ...sharedEnvironment(inPython),
      target: { ...target, python: python.version },
      python: python.path,
      isGeneric,
    };
    const files = await environmentFiles(plan, tools);
    layers.push(environmentLayer(files));
    const { compiler } = files;
    // A base that is not looked into keeps what it has.
    if (compiler !== undefined && base.layers.length > 0)
      bytecode.push(
        bytecodeLayer({
          base,
          python: files.python,
          version: files.version,
          compiler,
          worker: engine.worker,
          engine: engine.digest,
          scratch: tools.cacheDirectory,
        }),
      );
  }
  layers.push(serverLayer({ engine, node: nodeFiles(target, tools) }), ...bytecode);
  // Above the server, whose modules it is one of; it is the same for all models of its kind.
  if (onnx !== undefined) layers.push(onnxLayer(onnx));
  const below = contents.gzip === true ? layers.map((layer) => ({ ...layer, gzip: true })) : layers;
  const run = imageRun({
    base: base.config,
    hasPython: isGeneric || inPython.length > 0,
    models: models.map(({ version }) => version.model),
  });
  return {
    layers: [...below, ...models.map((model) => modelLayer(model))],
    run,
    labels: imageLabels(models),
  };
}

function isGraph({ cached }: ModelToBake): boolean {
  return cached.description.flavor === 'onnx';
}

/**
 * What all models of an image ask of their environment; an image has one.
 * @throws IngotError `environment-mismatch` where they ask for different ones.
 */
function sharedEnvironment(models: readonly ModelToBake[]): Pick<EnvironmentPlan, 'of' | 'wants'> {
  const [first, ...others] = models;
  if (first === undefined) return { of: 'a generic image', wants: { requirements: [] } };
  const wants = forPython(first.cached.servable);
  const key = environmentKey(wants);
  const other = others.find(({ cached }) => environmentKey(forPython(cached.servable)) !== key);
  if (other === undefined) return { of: models.map(({ called }) => called).join(', '), wants };
  throw new IngotError(
    'environment-mismatch',
    `${first.called} and ${other.called} ask for different environments, and an image has one`,
    {
      operation: 'bake',
      hint: `bake an image of each, or a generic one: ingot bake --generic --env ${first.called} …`,
    },
  );
}

/** Nothing of the image runs while it is baked, so neither can a script that changes it. */
function checkSetup(model: ModelToBake, { withoutSetup = false }: ImageContents): void {
  const setup = model.cached.description.setupPath;
  if (setup === undefined || withoutSetup) return;
  throw new IngotError(
    'refused',
    `${setup} of ${model.called} cannot run while an image is baked: nothing of it runs then`,
    {
      operation: 'bake',
      hint: '--without-setup leaves it out; do in a Dockerfile over the image (FROM …) what it does',
    },
  );
}

function targetOptions(context: Context, signal: AbortSignal | undefined): TargetOptions {
  const { settings, env, progress } = context;
  const warn = warningsOf(context);
  return {
    cacheDirectory: join(cacheRoot(settings), 'environments'),
    // An interpreter of this machine; `--python` of a bake is one of the image.
    python: env.PYTHON || undefined,
    startedFrom: startedFrom(env),
    environment: env,
    ...(signal && { signal }),
    onLine: (message) =>
      progress.onProgress({ phase: 'environment', path: 'image', doneBytes: 0, totalBytes: 0, message }),
    log: (level, message) => {
      if (level === 'warn') warn(message);
    },
  };
}

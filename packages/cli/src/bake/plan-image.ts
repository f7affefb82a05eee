/**
 * Says what an image is made of: of one model with its environment and the server, of the server alone (a *generic*
 * image), or of a model's files alone.
 */

import { join } from 'node:path';
import type { BaseImage } from '@ingot/core/deploy/base-image';
import { environmentLayer } from '@ingot/core/deploy/environment-layer';
import type { ImageLayer } from '@ingot/core/deploy/image-layer';
import type { ImagePlan, PlanImage } from '@ingot/core/deploy/image-plan';
import { modelLayer } from '@ingot/core/deploy/model-layer';
import { onnxLayer } from '@ingot/core/deploy/onnx-layer';
import { serverLayer } from '@ingot/core/deploy/server-layer';
import { IngotError } from '@ingot/core/errors';
import type { OciOptions } from '@ingot/core/oci/oci-place';
import type { EnvironmentTarget } from '@ingot/serve/environment/target';
import type { TargetOptions } from '@ingot/serve/environment/target-environment';
import { forPython } from '@ingot/serve/runtime/onnx/load-in-python';
import { cacheRoot } from '../address.ts';
import type { Context } from '../context.ts';
import { startedFrom } from '../package-environment.ts';
import { warningsOf } from '../open.ts';
import { engineFiles } from './engine-files.ts';
import { environmentFiles } from './environment-files.ts';
import { imageLabels } from './image-labels.ts';
import { imageRun } from './image-run.ts';
import type { ModelToBake } from './model-to-bake.ts';
import { nodeFiles } from './node-files.ts';
import { onnxFiles } from './onnx-files.ts';
import { pythonOfBase } from './python-of-base.ts';

/** What goes into an image. */
export interface ImageContents {
  /** The model that is baked in. Default: none, the image is generic. */
  readonly model?: ModelToBake;
  /** Of a generic image: the model whose environment lies in it. Default: none. */
  readonly environmentOf?: ModelToBake;
  /** Only the model's files, for volumes and KServe's modelcar: they lie in `/models`. Default: false. */
  readonly modelOnly?: boolean;
  /** `--python`: `3.11`, or the path of an interpreter in the base. Default: the one found there. */
  readonly python?: string;
  /** A package's `setup.sh`, which cannot run while an image is baked, is left out. Default: such a package is refused. */
  readonly withoutSetup?: boolean;
}

/**
 * Gives what bakes an image of these contents onto a base.
 * @throws IngotError when it is called: `refused` (a requirement that is no named package, a setup script),
 *   `environment-mismatch` (the base has no such Python), `environment-failed` (a package has no wheel for the platform).
 */
export function planImage(contents: ImageContents, context: Context): PlanImage {
  return async (base, options) => {
    const { model, modelOnly = false } = contents;
    if (model !== undefined && modelOnly)
      return { layers: [modelLayer({ ...model, at: 'models' })], run: {}, labels: imageLabels(model) };
    return planServing(contents, base, context, options);
  };
}

async function planServing(
  contents: ImageContents,
  base: BaseImage,
  context: Context,
  options: OciOptions = {},
): Promise<ImagePlan> {
  const { model } = contents;
  const wanted = model ?? contents.environmentOf;
  checkSetup(wanted, contents);
  const facts = await base.facts(options);
  const tools = targetOptions(context, options.signal);
  const target: EnvironmentTarget = {
    architecture: base.platform.architecture,
    libc: facts.libc ?? { name: 'glibc' },
    python: facts.python?.version ?? '3.11',
  };
  const layers: ImageLayer[] = [];
  const onnx = wanted?.cached.description.flavor === 'onnx' ? await onnxFiles(target) : undefined;
  const needsPython = model === undefined || onnx === undefined;
  if (needsPython) {
    const python = pythonOfBase(base.name, facts, contents.python);
    const servable =
      wanted === undefined || onnx !== undefined ? { requirements: [] } : forPython(wanted.cached.servable);
    const files = await environmentFiles(
      {
        of: wanted === undefined ? 'a generic image' : wanted.called,
        wants: servable,
        target: { ...target, python: python.version },
        python: python.path,
        isGeneric: model === undefined,
      },
      tools,
    );
    layers.push(environmentLayer(files));
  }
  layers.push(serverLayer({ engine: await engineFiles(), node: nodeFiles(target, tools) }));
  // Above the server, whose modules it is one of; it is the same for all models of its kind.
  if (onnx !== undefined) layers.push(onnxLayer(onnx));
  if (model !== undefined) layers.push(modelLayer(model));
  const run = imageRun({ base: base.config, hasPython: needsPython, isGeneric: model === undefined });
  return { layers, run, labels: imageLabels(model) };
}

/** Nothing of the image runs while it is baked, so neither can a script that changes it. */
function checkSetup(model: ModelToBake | undefined, { withoutSetup = false }: ImageContents): void {
  const setup = model?.cached.description.setupPath;
  if (setup === undefined || withoutSetup) return;
  throw new IngotError(
    'refused',
    `${setup} of ${model?.called} cannot run while an image is baked: nothing of it runs then`,
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

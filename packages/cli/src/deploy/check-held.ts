import { collect } from '@ingot/core/blob/bytes';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { isJsonObject, parseJson } from '@ingot/core/json';
import { parseOciManifest } from '@ingot/core/oci/manifest';
import type { OciOptions, OciReader } from '@ingot/core/oci/oci-place';
import { parseRegistryAddress, referenceOf } from '@ingot/core/oci/registry-address';
import type { Context } from '../context.ts';
import { warningsOf } from '../open.ts';
import { openRepository } from '../open-repository.ts';
import type { DeployedModel } from './deployed-model.ts';

/** A registry that is silent keeps nobody waiting longer. */
const LONGEST_MS = 15_000;
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * Compares what an image's labels say it holds with what is deployed. An image without such labels, or whose registry
 * cannot be asked from here, may hold anything. An alias that has moved on since the image was baked is a warning.
 * @param image its name with its digest; one by a tag was not found, and is not looked for again.
 * @throws IngotError `conflict` where it holds another model, another version, or none.
 */
export async function checkHeld(image: string, model: DeployedModel, context: Context): Promise<void> {
  if (!image.includes('@') || context.settings.isOn('offline') || model.reference === undefined) return;
  const labels = await labelsOf(image, context);
  const held = heldBy(labels);
  if (held === undefined) return;
  const one = held.find(({ name }) => name === model.name);
  if (one === undefined)
    throw new IngotError(
      'conflict',
      `${image} holds ${held.map(({ called }) => called).join(', ') || 'no model'}, not ${model.name}`,
      { hint: `ingot bake ${model.source} -o …   and deploy that image`, details: { image } },
    );
  if (model.now === undefined || one.digest === model.now.digest) return;
  const other = `${image} holds ${one.called}, and ${model.source} is version ${model.now.version}`;
  if (model.digest === undefined) return warningsOf(context)(`${other} now`);
  throw new IngotError('conflict', other, {
    hint: `ingot deploy … ${one.called}   or bake ${model.source} and deploy that image`,
    details: { image, held: one.digest ?? null, wanted: model.digest },
  });
}

interface Held {
  readonly name: string;
  /** `churn:7`. */
  readonly called: string;
  readonly digest: string | undefined;
}

/** The models that labels name; undefined where they are of an image that was not baked by Ingot. */
function heldBy(labels: Readonly<Record<string, unknown>>): readonly Held[] | undefined {
  const of = (key: string): string | undefined => {
    const text = labels[`dev.ingot.${key}`];
    return typeof text === 'string' ? text : undefined;
  };
  const [name, several] = [of('model'), of('models')];
  if (name !== undefined) return [{ name, called: `${name}:${of('version')}`, digest: of('manifest') }];
  if (several !== undefined)
    return several.split(' ').map((one) => {
      const [called = '', digest] = one.split('@', 2);
      return { name: called.slice(0, called.lastIndexOf(':')), called, digest };
    });
  return of('engine') === undefined ? undefined : [];
}

async function labelsOf(image: string, context: Context): Promise<Readonly<Record<string, unknown>>> {
  const address = parseRegistryAddress(image);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(LONGEST_MS)]);
  try {
    return await configLabels(await openRepository(address, context), referenceOf(address), { signal });
  } catch (error) {
    if (!isIngotError(error) || context.signal.aborted) throw error;
    warningsOf(context)(`what ${image} holds is not known, as its registry could not be asked: ${error.message}`);
    return {};
  }
}

/** Labels are the same for all platforms of an image. */
async function configLabels(
  place: Pick<OciReader, 'manifest' | 'blob'>,
  reference: string,
  call: OciOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const manifest = parseOciManifest(await place.manifest(reference, call));
  if (manifest.kind === 'index') {
    const first = manifest.manifests.find(({ platform }) => platform?.os !== 'unknown');
    return first === undefined ? {} : await configLabels(place, first.digest, call);
  }
  if (manifest.config.size > MAX_CONFIG_BYTES) return {};
  const value = parseJson((await collect(place.blob(manifest.config, call))).toString('utf8'));
  const run = isJsonObject(value) ? value.config : undefined;
  const labels = isJsonObject(run) ? run.Labels : undefined;
  return isJsonObject(labels) ? labels : {};
}

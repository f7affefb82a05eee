import type { Deployment, Leftout, ModelDelivery, Scale } from '@ingot/core/deploy/deployment';
import { LEFTOUTS } from '@ingot/core/deploy/deployment';
import { checkedLabel, dnsLabel } from '@ingot/core/deploy/dns-label';
import { parseQuantity } from '@ingot/core/deploy/quantity';
import { redactAddress, schemeOf } from '@ingot/core/blob/address';
import { IngotError } from '@ingot/core/errors';
import { formatReference } from '@ingot/core/ref';
import type { Context } from '../context.ts';
import { checkHeld } from './check-held.ts';
import type { DeployedModel } from './deployed-model.ts';
import { pinnedImage } from './pinned-image.ts';
import { serverVariables } from './server-variables.ts';

/** Who runs what is rendered. */
export type DeployTarget = 'kubernetes' | 'kserve' | 'compose' | 'systemd';

/**
 * Reads the flags of `ingot deploy` for a model that was looked up.
 * @throws IngotError `usage` for flags that do not go together, `invalid-name`, `refused` for what would be a secret in a file.
 */
export async function readDeployment(
  target: DeployTarget,
  model: DeployedModel,
  context: Context,
): Promise<Deployment> {
  const { arguments: given } = context;
  const name = given.text('name');
  const namespace = target === 'kubernetes' || target === 'kserve' ? given.text('namespace') : undefined;
  const variables = serverVariables(target, context);
  const delivery = await deliveryOf(target, model, context);
  const image = target === 'systemd' ? '' : await pinnedImage(given.text('image') ?? '', '--image', context);
  if (delivery.kind === 'baked') await checkHeld(image, model, context);
  if (delivery.kind === 'image') await checkHeld(delivery.image, model, context);
  return {
    name: name === undefined ? dnsLabel(model.name) : checkedLabel(name, 'a name there'),
    ...(namespace !== undefined && { namespace: checkedLabel(namespace, 'a namespace', 63) }),
    model: model.name,
    source: model.source,
    ...(model.version !== undefined && { version: model.version }),
    ...(model.digest !== undefined && { digest: model.digest }),
    delivery,
    image,
    scale: target === 'kubernetes' || target === 'kserve' ? scaleOf(context) : { kind: 'fixed', replicas: 1 },
    cpu: parseQuantity(given.text('cpu') ?? '500m', 'cpu'),
    memory: parseQuantity(given.text('memory') ?? '1Gi', 'memory'),
    ...(Object.keys(variables).length > 0 && { variables }),
    without: new Set(target === 'kubernetes' ? given.list('without').filter(isLeftout) : []),
  };
}

function isLeftout(text: string): text is Leftout {
  return LEFTOUTS.some((known) => known === text);
}

async function deliveryOf(target: DeployTarget, model: DeployedModel, context: Context): Promise<ModelDelivery> {
  const { arguments: given } = context;
  if (target === 'systemd') return downloadOf(target, model, context);
  const modelImage = given.text('model-image');
  if (given.isOn('baked') && modelImage !== undefined)
    throw new IngotError('usage', '--baked and --model-image exclude each other: the model lies in one of the two');
  if (given.isOn('baked')) return { kind: 'baked' };
  if (modelImage === undefined) return downloadOf(target, model, context);
  if (model.reference === undefined)
    throw new IngotError('usage', '--model-image goes with a model of a registry, like churn:7');
  return { kind: 'image', image: await pinnedImage(modelImage, '--model-image', context) };
}

function downloadOf(target: DeployTarget, model: DeployedModel, context: Context): ModelDelivery {
  const models = modelsOf(target, model);
  const registry = context.settings.value('registry')?.text ?? '';
  const isAlone = target === 'compose' && context.arguments.isOn('with-registry');
  if (isAlone) return { kind: 'download', models, registry: 'http://registry:8585' };
  if (redactAddress(registry) !== registry)
    throw new IngotError('refused', `the address of the registry, ${redactAddress(registry)}, holds a secret`, {
      hint: 'give the address without it, and the secret to the servers by their own way',
    });
  if (target === 'systemd' || (schemeOf(registry) !== undefined && schemeOf(registry) !== 'file'))
    return { kind: 'download', models, registry: target === 'systemd' ? model.registry : registry };
  throw new IngotError('usage', `${registry} is a directory of this machine, which no container reaches`, {
    hint: 'ingot deploy … --registry s3://models/team   (or --baked, with an image that holds the model)',
  });
}

/** A version that stays is named by its digest: no other bytes are ever loaded for it. */
function modelsOf(target: DeployTarget, { reference, digest, version, source }: DeployedModel): string {
  if (reference === undefined) {
    if (target !== 'kserve') return source;
    throw new IngotError('usage', `${source}: KServe's ingot:// names a model of a registry, like churn:7`);
  }
  if (version === undefined || digest === undefined) return formatReference(reference);
  return formatReference({ name: reference.name, selector: { kind: 'digest', digest } });
}

const DEFAULT_MIN = 2;
const DEFAULT_MAX = 10;
const MOST_REPLICAS = 10_000;

function scaleOf(context: Context): Scale {
  const [replicas, min, max] = ['replicas', 'min', 'max'].map((flag) => replicaCount(flag, context));
  if (replicas !== undefined) {
    if (min === undefined && max === undefined) return { kind: 'fixed', replicas };
    throw new IngotError('usage', '--replicas says how many there always are; it excludes --min and --max');
  }
  const least = min ?? Math.min(DEFAULT_MIN, max ?? DEFAULT_MIN);
  const most = max ?? Math.max(DEFAULT_MAX, least);
  if (least <= most) return { kind: 'automatic', min: least, max: most };
  throw new IngotError('usage', `--min ${least} is above --max ${most}`);
}

function replicaCount(flag: string, { arguments: given }: Context): number | undefined {
  const text = given.text(flag);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MOST_REPLICAS) return count;
  throw new IngotError('usage', `--${flag} is "${text}"; it is a whole number from 1 to ${MOST_REPLICAS}`);
}

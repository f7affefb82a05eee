import type { BaseConfig } from '@ingot/core/deploy/base-image';
import type { ImageRun } from '@ingot/core/deploy/image-plan';
import { IMAGE_PLACES, IMAGE_PYTHON, IMAGE_USER } from '@ingot/core/deploy/image-places';

const PORT = 8080;
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Says how a container of an image starts. `docker run IMAGE` serves what is baked in, or what `INGOT_MODELS` names; words
 * after the image are another command of `ingot`.
 */
export function imageRun(image: {
  readonly base: Pick<BaseConfig, 'env'>;
  readonly hasPython: boolean;
  /** Names of the models that are baked in; a generic image has none. */
  readonly models: readonly string[];
}): ImageRun {
  return {
    entrypoint: [`/${IMAGE_PLACES.programs}/ingot`],
    cmd: ['serve'],
    env: {
      // Libraries look for it, and a user without a name has none.
      HOME: '/tmp',
      INGOT_CACHE: `/${IMAGE_PLACES.cache}`,
      INGOT_HOST: '0.0.0.0',
      INGOT_PORT: String(PORT),
      // Each by its own place: the base may hold others.
      ...(image.models.length === 0 ? {} : { INGOT_MODELS: image.models.map(bakedSource).join(' ') }),
      ...(image.hasPython ? { INGOT_STARTED_FROM: IMAGE_PYTHON } : {}),
      PATH: pathOf(image),
    },
    workingDir: '/',
    user: IMAGE_USER,
    exposedPorts: [`${PORT}/tcp`],
    stopSignal: 'SIGTERM',
    healthcheck: {
      test: ['CMD', `/${IMAGE_PLACES.programs}/healthy`],
      intervalMs: 10_000,
      timeoutMs: 6000,
      startPeriodMs: 120_000,
      retries: 3,
    },
  };
}

function bakedSource(model: string): string {
  return `baked:/${IMAGE_PLACES.models}/${model}`;
}

function pathOf({ base, hasPython }: { readonly base: Pick<BaseConfig, 'env'>; readonly hasPython: boolean }): string {
  const before = base.env.find((line) => line.startsWith('PATH='))?.slice('PATH='.length);
  const own = [`/${IMAGE_PLACES.programs}`, ...(hasPython ? [`/${IMAGE_PLACES.environment}/bin`] : [])];
  return [...own, before || USUAL_PATH].join(':');
}

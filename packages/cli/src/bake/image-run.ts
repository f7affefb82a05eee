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
  readonly isGeneric: boolean;
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
      ...(image.isGeneric ? {} : { INGOT_MODELS: `baked:/${IMAGE_PLACES.models}` }),
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

function pathOf({ base, hasPython }: { readonly base: Pick<BaseConfig, 'env'>; readonly hasPython: boolean }): string {
  const before = base.env.find((line) => line.startsWith('PATH='))?.slice('PATH='.length);
  const own = [`/${IMAGE_PLACES.programs}`, ...(hasPython ? [`/${IMAGE_PLACES.environment}/bin`] : [])];
  return [...own, before || USUAL_PATH].join(':');
}

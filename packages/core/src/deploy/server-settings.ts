import type { Deployment } from './deployment.ts';
import { SERVE_PORT, STOPPING } from './deployment.ts';
import { IMAGE_PLACES } from './image-places.ts';

/** Where the servers of a container write what they download. */
export const CACHE_DIRECTORY = `/${IMAGE_PLACES.cache}`;

/**
 * The variables that a model server of a deployment starts with, in the order of their names; none is a secret. An image
 * with the model baked in says itself what it serves and from where.
 */
export function serverSettings({
  delivery,
  variables = {},
}: Pick<Deployment, 'delivery' | 'variables'>): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {
    INGOT_HOST: '0.0.0.0',
    INGOT_PORT: String(SERVE_PORT),
    INGOT_DRAIN: String(STOPPING.drainSeconds),
    INGOT_LOG: 'json',
  };
  if (delivery.kind !== 'baked') {
    settings.INGOT_CACHE = CACHE_DIRECTORY;
    settings.INGOT_CACHE_SIZE = '16GB';
  }
  if (delivery.kind === 'download') {
    settings.INGOT_MODELS = delivery.models;
    settings.INGOT_REGISTRY = delivery.registry;
  }
  // The only model of an image lies there itself, several have a directory each.
  if (delivery.kind === 'image') settings.INGOT_MODELS = `baked:/${IMAGE_PLACES.models}`;
  return Object.fromEntries(
    Object.entries({ ...settings, ...variables }).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

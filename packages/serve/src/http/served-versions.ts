import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import type { ServedVersion } from '../model-host.ts';
import type { Exchange } from './exchange.ts';
import { modelParam } from './model-param.ts';

/**
 * The versions that a path means, loaded or not: all of a model's, or the one that the path names by number or label.
 * Loads nothing.
 * @throws IngotError `model-not-found`, `version-not-found`.
 */
export function versionsNamed(exchange: Exchange): readonly ServedVersion[] {
  const { host } = exchange.context;
  const name = modelParam(exchange);
  const versions = host.index().filter((served) => served.model === name);
  if (versions.length === 0) throw unknownModel(name, host.models());
  const { version } = exchange.params;
  if (version === undefined) return versions;
  const found =
    versions.find((served) => served.version === version) ?? versions.find((served) => served.label === version);
  if (found !== undefined) return [found];
  throw new IngotError(
    'version-not-found',
    `version "${version.slice(0, 80)}" of model "${name}" is not served; ${versions.map((served) => served.version).join(', ')} is`,
    {
      details: { served: versions.map((served) => served.version) },
    },
  );
}

function unknownModel(name: string, models: readonly string[]): IngotError {
  const near = nearest(name, models);
  return new IngotError(
    'model-not-found',
    `no model "${name.slice(0, 80)}" is served here${near === undefined ? '' : `; did you mean "${near}"?`}`,
    {
      details: { served: models.slice(0, 100) },
      ...(near === undefined ? {} : { nearest: near }),
    },
  );
}

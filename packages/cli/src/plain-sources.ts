import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { PLAIN_NAMES } from '@ingot/core/blob/local/names';
import { openBlobStore } from '@ingot/core/blob/open';
import type { PackageCache } from '@ingot/core/package/cache';
import type { OnProgress } from '@ingot/core/progress';
import type { SourcePackage } from '@ingot/core/source-reader';
import { SourceReader } from '@ingot/core/source-reader';
import type { ResolvedModel } from '@ingot/core/serving/runtime';
import { hasWildcard } from '@ingot/core/source/glob';
import { cacheRoot } from './address.ts';
import { openRepository } from './open-repository.ts';
import type { Settings } from './settings/settings.ts';

/** What reading plain addresses needs besides the settings. */
export interface PlainSourcesOptions {
  readonly cache: PackageCache;
  /** What relative paths start from. */
  readonly cwd: string;
  readonly now: () => Date;
  readonly onProgress?: OnProgress;
  readonly onWarning?: (message: string) => void;
}

/** Opens what reads models from plain directories and buckets, with what the settings say of cache and storages. */
export function openSourceReader(settings: Settings, options: PlainSourcesOptions): SourceReader {
  const { cache, cwd, now, onProgress, onWarning } = options;
  const home = settings.env.HOME;
  const trackingUri = settings.env.MLFLOW_TRACKING_URI;
  return new SourceReader({
    cache,
    directory: join(cacheRoot(settings), 'sources'),
    open: (address) =>
      openBlobStore(address, { env: settings.env, names: PLAIN_NAMES, ...(onWarning && { onWarning }) }),
    host: {
      cwd,
      ...(home !== undefined && home !== '' && { home }),
      ...(trackingUri !== undefined && trackingUri !== '' && { trackingUri }),
    },
    openRepository: (where) => openRepository(where, { settings }),
    env: settings.env,
    now,
    offline: settings.isOn('offline'),
    ...(onProgress && { onProgress }),
  });
}

/** What a plain address means, as the model server names it. */
export function asResolvedModel(source: string, { record, staleSince }: SourcePackage): ResolvedModel {
  const { model, version, manifest, address } = record;
  return {
    source,
    model,
    modelId: address,
    number: version.number ?? 0,
    version: version.text,
    digest: manifest,
    ...(version.label !== undefined && { label: version.label }),
    ...(staleSince !== undefined && { staleSince }),
  };
}

/** `sentiment-model:1.2`. */
export function nameOfSource({ record }: SourcePackage): string {
  return `${record.model}:${record.version.text}`;
}

/**
 * The plain address in an argument that is always a path or an address (`push`, `validate`); undefined for a file or
 * directory of this machine by its very name, which needs no looking for.
 */
export function addressOfPackage(text: string, cwd: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]+:\/\/|^(?:file|oci|oci-archive|docker-archive):|^(?:models|runs):\//i.test(text)) return text;
  if (!hasWildcard(text) || existsSync(resolve(cwd, text))) return undefined;
  return isAbsolute(text) || /^(?:\.{1,2}|~)\//.test(text) ? text : `./${text}`;
}

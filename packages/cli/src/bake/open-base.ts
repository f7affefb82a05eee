import { join, resolve } from 'node:path';
import type { FindBase } from '@ingot/core/deploy/bake-options';
import { baseFromPlace } from '@ingot/core/deploy/base-place';
import { baseFromRootfs } from '@ingot/core/deploy/base-rootfs';
import { scratchBase } from '@ingot/core/deploy/base-scratch';
import { IngotError } from '@ingot/core/errors';
import { openOciArchive } from '@ingot/core/oci/archive-reader';
import { OciLayout } from '@ingot/core/oci/layout';
import { formatRegistryAddress, parseRegistryAddress, referenceOf } from '@ingot/core/oci/registry-address';
import { cacheRoot } from '../address.ts';
import type { Context } from '../context.ts';
import { openRepository } from '../open-repository.ts';
import { baseOfPackages } from './base-of-packages.ts';

/** A base that is open. */
export interface OpenedBase extends AsyncDisposable {
  readonly find: FindBase;
}

/** Directory in the cache for what bakes leave. */
export function bakeCache({ settings }: Pick<Context, 'settings'>): string {
  return join(cacheRoot(settings), 'images');
}

/**
 * Opens what `--base` names: `HOST/NAME:TAG` or a name on Docker's hub, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
 * `docker-archive:FILE[:NAME:TAG]`, `rootfs:FILE.tar`, `debian-packages[:SUITE]`, `scratch`.
 * @throws IngotError `usage`; as opening the place does.
 */
export async function openBase(text: string, context: Context): Promise<OpenedBase> {
  const cache = bakeCache(context);
  const [, scheme = '', rest = ''] = /^([a-z-]+)(?::(?!\/\/)(.*))?$/s.exec(text) ?? [];
  const path = (file: string): string => resolve(context.cwd, named(file, text));
  switch (scheme) {
    case 'scratch':
      return held(scratchBase);
    case 'debian-packages':
      return held(await baseOfPackages(rest, context));
    case 'rootfs':
      return held(baseFromRootfs({ file: path(rest), name: `rootfs:${rest.split('/').at(-1)}`, cache }));
    case 'oci': {
      const [directory, tag] = splitTag(rest);
      const place = new OciLayout(path(directory));
      const reference = tag ?? (await place.only());
      return held(baseFromPlace({ place, reference, name: localName(directory, tag), cache }));
    }
    case 'oci-archive':
    case 'docker-archive': {
      const colon = rest.indexOf(':');
      const [file, tag] = colon < 0 ? [rest, undefined] : [rest.slice(0, colon), rest.slice(colon + 1)];
      const place = await openOciArchive(path(file));
      const reference = tag ?? (await place.only());
      return {
        find: baseFromPlace({ place, reference, name: localName(file, tag), cache }),
        [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
      };
    }
    default:
      return held(await registryBase(text, cache, context));
  }
}

async function registryBase(text: string, cache: string, context: Context): Promise<FindBase> {
  const address = parseRegistryAddress(text, { hub: true });
  const { host, name } = address;
  return baseFromPlace({
    place: await openRepository({ host, name }, context),
    reference: referenceOf(address),
    name: formatRegistryAddress({ ...address, ...(address.digest === undefined && { tag: referenceOf(address) }) }),
    repository: `${host}/${name}`,
    cache,
  });
}

/** Where a base lies on this machine is not told to whoever runs the image; its name and digest are. */
function localName(path: string, tag: string | undefined): string {
  const last = path.split('/').findLast((part) => part !== '') ?? path;
  return tag === undefined ? last : `${last}:${tag}`;
}

function splitTag(rest: string): readonly [string, string | undefined] {
  const colon = rest.lastIndexOf(':');
  return colon > 0 && !rest.slice(colon).includes('/')
    ? [rest.slice(0, colon), rest.slice(colon + 1)]
    : [rest, undefined];
}

function named(file: string, text: string): string {
  if (file !== '') return file;
  throw new IngotError('usage', `--base ${text} names no file`, {
    operation: 'bake',
    hint: `--base ${text.replace(/:?$/, ':')}PATH`,
  });
}

function held(find: FindBase): OpenedBase {
  return { find, [Symbol.asyncDispose]: async () => {} };
}

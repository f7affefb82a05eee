import { IngotError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';

/** The variables that a backend is configured by. */
export type StorageEnv = Readonly<Record<string, string | undefined>>;

/** `scheme://place/prefix?option=value`, taken apart. */
export interface StorageUrl {
  readonly scheme: string;
  /** The bucket or container. */
  readonly place: string;
  /** Goes before every key; empty, or ends with `/`. */
  readonly prefix: string;
  readonly options: ReadonlyMap<string, string>;
}

/** A variable's value, or undefined when it is not set or empty. */
export function textOf(env: StorageEnv, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

/**
 * Takes a storage address apart. The prefix is taken as it stands: `%20` in it is three characters, as in the clouds' own tools.
 * @throws IngotError `usage` when it is malformed or names an option that is not among `known`.
 */
export function readStorageUrl(address: string, scheme: string, known: readonly string[]): StorageUrl {
  const match = /^([a-z]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(address);
  if (match?.[1]?.toLowerCase() !== scheme) throw malformed(address, `it does not read ${scheme}://…`);
  const [, , place = '', path = '', query = ''] = match;
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw malformed(address, 'its prefix has a "." or ".." segment');
  const options = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name))
      throw malformed(address, `"${name}" is none of the options ${known.join(', ')}`, nearest(name, known));
    if (value !== '') options.set(name, value);
  }
  return { scheme, place, prefix: segments.map((segment) => `${segment}/`).join(''), options };
}

/** The address without options that are secret by nature; there are none among those that backends know. */
export function storageAddress({ scheme, place, prefix, options }: StorageUrl): string {
  const query = [...options].map(([name, value]) => `${name}=${value}`).join('&');
  return `${scheme}://${place}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`}${query === '' ? '' : `?${query}`}`;
}

function malformed(address: string, why: string, near?: string): IngotError {
  return new IngotError('usage', `"${address.replace(/\?.*/, '?…')}" is not a storage address: ${why}`, {
    operation: 'open',
    ...(near === undefined ? {} : { nearest: near }),
  });
}

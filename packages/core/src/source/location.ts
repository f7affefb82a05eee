import { redactAddress } from '../blob/address.ts';
import type { PlainAddress } from './plain-address.ts';

/** The address of one file or directory below an address's root, without secrets. */
export function locationOf(
  { root, objectVersion, scheme }: PlainAddress,
  { path, kind }: { readonly path: string; readonly kind: 'file' | 'directory' },
): string {
  const slash = kind === 'directory' && path !== '' ? '/' : '';
  if (scheme === 'file') return `${root === '/' ? '' : root}/${path}${slash}`;
  const [base = '', query = ''] = root.split('?');
  const isUrl = !['s3', 'gs', 'az'].includes(scheme);
  const below = isUrl ? path.split('/').map(encodeURIComponent).join('/') : path;
  const version = objectVersion === undefined || scheme === 'gs' ? [] : [versionOption(objectVersion)];
  const options = [...(query === '' ? [] : [query]), ...version].join('&');
  const generation = objectVersion !== undefined && scheme === 'gs' ? `#${objectVersion}` : '';
  return redactAddress(
    `${base.replace(/\/+$/, '')}/${below}${slash}${options === '' ? '' : `?${options}`}${generation}`,
  );
}

/** Azure names snapshots and versions apart. */
function versionOption(objectVersion: string): string {
  const [, snapshot] = /^snapshot:(.*)$/.exec(objectVersion) ?? [];
  return snapshot === undefined ? `versionId=${objectVersion}` : `snapshot=${snapshot}`;
}

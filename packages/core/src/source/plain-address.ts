/**
 * A *plain address* names files that people keep in directories and buckets under names of their own: one file, a
 * directory, or a pattern of which the newest is meant. A *reference* (`churn:7`) names a version in a registry. An
 * address has a scheme or starts with `/`, `./`, `../` or `~`; everything else is a reference.
 */

import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { checkStorageAddress, redactAddress, schemeOf } from '../blob/address.ts';
import { IngotError } from '../errors.ts';
import { type GlobPart, hasWildcard, parseGlob } from './glob.ts';
import { isMlflowAddress, parseMlflowAddress } from './mlflow-address.ts';
import { isOciAddress, parseOciAddress } from './oci-address.ts';

/** An address that was taken apart; nothing was looked at yet. */
export interface PlainAddress {
  /** As given, without secrets. */
  readonly text: string;
  /** `file`, `s3`, `gs`, … */
  readonly scheme: string;
  /** Directory or bucket in which the rest is looked for: a path, or an address for the storage's client. */
  readonly root: string;
  /** Names of the directories that {@link root} ends with, for finding a model's name. */
  readonly rootNames: readonly string[];
  /** What follows the root, part by part; patterns among them. */
  readonly parts: readonly GlobPart[];
  readonly isPattern: boolean;
  /** Whether it ends with a slash, so that only a directory can be meant. */
  readonly isDirectory: boolean;
  /** S3 `versionId`, GCS generation, Azure version or snapshot. */
  readonly objectVersion?: string;
}

/** What relative paths start from. */
export interface AddressHost {
  readonly cwd: string;
  /** Default: that of the system. */
  readonly home?: string;
  /** The MLflow server that `models:/…` and `runs:/…` mean. Default: none. */
  readonly trackingUri?: string;
}

const OBJECT_VERSION_KEYS: Readonly<Record<string, readonly string[]>> = {
  s3: ['versionid'],
  gs: ['generation'],
  az: ['versionid', 'snapshot'],
};

/** Says whether a text is a plain address, and no reference. */
export function isPlainAddress(text: string): boolean {
  if (isMlflowAddress(text) || isOciAddress(text)) return true;
  return schemeOf(text)?.length !== undefined && /^[a-z][a-z0-9+.-]+:\/\//i.test(text)
    ? true
    : /^file:/i.test(text) || /^(?:\/|\.{1,2}(?:\/|$)|~(?:\/|$))/.test(text);
}

/**
 * Takes an address apart.
 * @throws IngotError `usage` for an unknown scheme (with the nearest), `**`, or an object version where none can be.
 * @example
 * parsePlainAddress('s3://bucket/models/churn_v*.pkl', { cwd }).root; // 's3://bucket/models'
 */
export function parsePlainAddress(text: string, host: AddressHost): PlainAddress {
  if (isMlflowAddress(text)) return parseMlflowAddress(text, host.trackingUri);
  if (isOciAddress(text)) return parseOciAddress(text, host.cwd);
  const known = checkStorageAddress(text);
  if (text.split(/[/\\]/).includes('**')) throw new IngotError('usage', doubleStar(text), { operation: 'source' });
  if (known === undefined || known.scheme === 'file') return localAddress(text, host);
  return remoteAddress(text, known.scheme);
}

function doubleStar(text: string): string {
  return `"${redactAddress(text)}": ** is not understood; write one * for each directory, like models/*/v*/`;
}

function localAddress(text: string, { cwd, home = homedir() }: AddressHost): PlainAddress {
  const url = /^file:(?:\/\/(?:localhost)?(?=\/))?(.*)$/is.exec(text);
  if (url !== null && !/^\/(?!\/)/.test(url[1] ?? ''))
    throw new IngotError('usage', `"${text}" is not a file address; write file:///path/to/model.pkl`);
  const path = url === null ? text.replace(/^~(?=\/|$)/, home) : decoded(url[1] ?? '');
  const names = resolve(cwd, path)
    .split('/')
    .filter((name) => name !== '');
  const isDirectory = /(?:^|\/)\.{0,2}$/.test(path);
  return { text, scheme: 'file', ...divided(names, isDirectory, (above) => `/${above.join('/')}`), isDirectory };
}

function remoteAddress(text: string, scheme: string): PlainAddress {
  const { body, query, fragment } = withoutQuery(text, scheme);
  const [, head = '', path = ''] = /^([a-z0-9+.-]+:\/\/[^/]*)(.*)$/is.exec(body) ?? [];
  const raw = path.split('/').filter((name) => name !== '');
  const isUrl = !['s3', 'gs', 'az'].includes(scheme);
  const { objectVersion, rest } = objectVersionIn(scheme, query);
  const version = fragment ?? objectVersion;
  const suffix = rest === '' ? '' : `?${rest}`;
  const rootOf = (above: readonly string[]): string =>
    `${head}${['', ...above.map((name) => (isUrl ? encodeURIComponent(name) : name))].join('/')}${suffix}`;
  const isDirectory = path === '' || path.endsWith('/');
  const address = divided(isUrl ? raw.map(decoded) : raw, isDirectory, rootOf);
  if (version !== undefined && (isDirectory || address.isPattern))
    throw new IngotError('usage', `"${redactAddress(text)}": an object version belongs to one file, not to several`);
  const bucket = /^[^:]+:\/\/(?:[^/]*@)?([^/:]*)/.exec(head)?.[1] ?? '';
  return {
    ...address,
    text: redactAddress(text),
    scheme,
    rootNames: [bucket, ...address.rootNames],
    isDirectory,
    ...(version !== undefined && { objectVersion: version }),
  };
}

/** All literal directories make the root; the last name and everything from the first pattern on is looked for. */
function divided(names: readonly string[], isDirectory: boolean, rootOf: (above: readonly string[]) => string) {
  const first = names.findIndex(hasWildcard);
  const cut = first < 0 ? Math.max(0, names.length - 1) : first;
  const above = names.slice(0, cut).map((name) => parseGlob(name).literal);
  const parts = names.slice(cut).map(parseGlob);
  return { root: rootOf(above), rootNames: above, parts, isPattern: parts.some((part) => part.isPattern), isDirectory };
}

/** A `?` begins options only where `name=value` follows, else it stands for one character. */
function withoutQuery(text: string, scheme: string) {
  const generation = scheme === 'gs' ? /#(\d+)$/.exec(text) : null;
  const whole = generation === null ? text : text.slice(0, generation.index);
  const query = /\?([a-z][\w.-]*=[^?]*)$/i.exec(whole);
  return {
    body: query === null ? whole : whole.slice(0, query.index),
    query: query?.[1] ?? '',
    fragment: generation?.[1],
  };
}

function objectVersionIn(scheme: string, query: string) {
  const keys = OBJECT_VERSION_KEYS[scheme] ?? [];
  const options = query.split('&').filter((option) => option !== '');
  const isVersion = (option: string): boolean => keys.includes(option.replace(/=.*/s, '').toLowerCase());
  const found = options.find(isVersion);
  const value = found === undefined ? undefined : decoded(found.slice(found.indexOf('=') + 1));
  return {
    objectVersion: value !== undefined && /^snapshot=/i.test(found ?? '') ? `snapshot:${value}` : value,
    rest: options.filter((option) => !isVersion(option)).join('&'),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign stands for itself, as it does in file names.
    return text;
  }
}

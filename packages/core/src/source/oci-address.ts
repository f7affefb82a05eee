import { resolve } from 'node:path';
import { IngotError } from '../errors.ts';
import { parseGlob } from './glob.ts';
import type { PlainAddress } from './plain-address.ts';

/** What an address of OCI contents means: a repository of a registry, a layout's directory, or an archive's file. */
export interface OciSourceAddress {
  readonly kind: 'registry' | 'layout' | 'archive';
  /** The address without tag and digest, as people write it. */
  readonly place: string;
  /** `HOST/NAME`, or an absolute path. */
  readonly where: string;
  /** Tag, digest, or the name by which a layout knows it; undefined where none is said. */
  readonly reference: string | undefined;
  /** Of several models in an image, the one that is meant. */
  readonly model: string | undefined;
}

const SCHEME = /^(oci|oci-archive|docker-archive):(.*)$/is;

/** Says whether an address is one of OCI contents: `oci://HOST/NAME`, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`. */
export function isOciAddress(text: string): boolean {
  return /^(?:oci|oci-archive|docker-archive):/i.test(text);
}

/**
 * Takes `oci://HOST/NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]` or `oci-archive:FILE[:TAG]` apart. What follows `#` names one of
 * several models in an image. The directory of a layout ends at the first colon.
 * @throws IngotError `usage` for a malformed address.
 * @example
 * parseOciAddress('oci:/media/usb:churn:7', '/').parts[0].literal; // 'churn:7'
 */
export function parseOciAddress(text: string, cwd: string): PlainAddress {
  const [, scheme = '', rest = ''] = SCHEME.exec(text) ?? [];
  const [body = '', model] = rest.split('#', 2);
  const isRegistry = /^\/\/(?!\/)/.test(body) && scheme.toLowerCase() === 'oci';
  const { where, reference } = isRegistry
    ? inRegistry(body.slice(2), text)
    : onDisk(body.replace(/^\/\/(?=\/)/, ''), text);
  const root = isRegistry ? `oci://${where}` : `${scheme.toLowerCase()}://${resolve(cwd, where)}`;
  const parts = [reference ?? '', ...(model === undefined ? [] : [model])];
  return {
    text,
    scheme: 'oci',
    root,
    rootNames: [],
    parts: parts.map((part) => ({ ...parseGlob(''), text: part, literal: part })),
    isPattern: false,
    isDirectory: true,
  };
}

/** What an address that {@link parseOciAddress} gave means. */
export function ociSourceOf({ root, parts }: Pick<PlainAddress, 'root' | 'parts'>): OciSourceAddress {
  const [, scheme = '', where = ''] = /^([a-z-]+):\/\/(.*)$/is.exec(root) ?? [];
  const [reference, model] = parts.map(({ literal }) => (literal === '' ? undefined : literal));
  const kind = scheme !== 'oci' ? 'archive' : where.startsWith('/') ? 'layout' : 'registry';
  return { kind, where, place: `${scheme}:${kind === 'registry' ? '//' : ''}${where}`, reference, model };
}

function inRegistry(body: string, text: string) {
  const at = body.indexOf('@');
  const named = at < 0 ? body : body.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const where = colon < 0 ? named : named.slice(0, colon);
  if (!/^[^/]+\/./.test(where)) throw malformed(text, 'oci://registry.example.com/team/churn:7');
  if (/[^/]*@/.test(where)) throw malformed(text, 'oci://registry.example.com/team/churn:7');
  const reference = at >= 0 ? body.slice(at + 1) : colon >= 0 ? named.slice(colon + 1) : undefined;
  if (reference === '') throw malformed(text, 'oci://registry.example.com/team/churn:7');
  return { where, reference };
}

function onDisk(body: string, text: string) {
  const at = body.search(/@sha(?:256|512):/);
  const colon = at < 0 ? body.indexOf(':') : at;
  const where = colon < 0 ? body : body.slice(0, colon);
  const reference = colon < 0 ? undefined : body.slice(colon + 1);
  if (where === '' || reference === '') throw malformed(text, 'oci:./layout:churn:7');
  return { where, reference };
}

function malformed(text: string, example: string): IngotError {
  return new IngotError('usage', `"${text.slice(0, 120)}" is not an address of OCI contents`, {
    operation: 'source',
    hint: example,
  });
}

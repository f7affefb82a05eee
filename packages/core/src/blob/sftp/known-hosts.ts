/** The file in which SSH keeps the keys of hosts: who is who was decided by whoever added a line, never by this program. */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A line of the file. */
interface Line {
  readonly marker: string | undefined;
  readonly hosts: string;
  readonly type: string;
  readonly key: string;
  readonly number: number;
}

/** What a file says of a host that shows a key. */
export type HostVerdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  /** Another key of this type is known: the host was made anew, or somebody is in between. */
  | { readonly kind: 'changed'; readonly line: number }
  | { readonly kind: 'revoked'; readonly line: number };

/** The hosts of one or more files. */
export class KnownHosts {
  readonly #lines: readonly Line[];

  constructor(text: string) {
    this.#lines = text.split('\n').flatMap(parseLine);
  }

  /** Judges the key that a host shows. */
  judge(host: string, port: number, key: Buffer): HostVerdict {
    const type = keyType(key);
    const shown = key.toString('base64');
    const lines = this.#of(host, port);
    const revoked = lines.find(({ marker, key: known }) => marker === '@revoked' && known === shown);
    if (revoked !== undefined) return { kind: 'revoked', line: revoked.number };
    const plain = lines.filter(({ marker }) => marker === undefined);
    if (plain.some(({ key: known }) => known === shown)) return { kind: 'known' };
    const other = plain.find((line) => line.type === type);
    return other === undefined ? { kind: 'unknown' } : { kind: 'changed', line: other.number };
  }

  /** The types of the keys that are known of a host, so that it is asked for one of these. */
  keyTypes(host: string, port: number): readonly string[] {
    const lines = this.#of(host, port).filter(({ marker }) => marker === undefined);
    return [...new Set(lines.map(({ type }) => type))];
  }

  #of(host: string, port: number): readonly Line[] {
    const name = port === 22 ? host : `[${host}]:${port}`;
    return this.#lines.filter(({ hosts }) => matches(hosts, name.toLowerCase()));
  }
}

/** The fingerprint of a key as `ssh-keygen -l` shows it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function keyType(key: Buffer): string {
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
}

function parseLine(text: string, index: number): Line[] {
  const fields = text.trim().split(/\s+/);
  if (fields[0] === '' || fields[0]?.startsWith('#')) return [];
  const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
  const [hosts, type, key] = fields;
  if (hosts === undefined || type === undefined || key === undefined) return [];
  return [{ marker, hosts, type, key, number: index + 1 }];
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|1|')) return matchesHashed(hosts, name);
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

function matchesPattern(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`).test(name);
}

function matchesHashed(hosts: string, name: string): boolean {
  const [, , salt = '', hash = ''] = hosts.split('|');
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.byteLength === actual.byteLength && timingSafeEqual(expected, actual);
}

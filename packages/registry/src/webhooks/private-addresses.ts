import { BlockList, isIP } from 'node:net';

const PRIVATE_V4 = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  PRIVATE_V4.addSubnet(network, bits, 'ipv4');

/**
 * Says whether an IP address is none of the public internet: loopback, private, link-local, multicast, reserved; also an
 * IPv4 address of these kinds inside an IPv6 one. What is no address counts as private.
 */
export function isPrivateAddress(address: string): boolean {
  const kind = isIP(address);
  if (kind === 4) return PRIVATE_V4.check(address, 'ipv4');
  const groups = kind === 6 ? groupsOf(address) : undefined;
  if (groups === undefined) return true;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = groups;
  const isTranslated = a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0;
  if (isTranslated) return isPrivateAddress(v4Of(groups.slice(6)));
  if (a === 0x2002) return isPrivateAddress(v4Of(groups.slice(1, 3)));
  // Only 2000::/3 is handed out to the internet; what carries an IPv4 address otherwise (::ffff:…) lies outside of it.
  if (a >> 13 !== 1)
    return a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff
      ? isPrivateAddress(v4Of(groups.slice(6)))
      : true;
  const isReserved = a === 0x2001 && (b < 0x200 || b === 0xdb8);
  return isReserved;
}

function groupsOf(address: string): number[] | undefined {
  const plain = address.split('%', 1)[0] ?? '';
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const text = tail === null ? plain : `${tail[1]}${hexOf(tail[2] ?? '')}`;
  const [left = '', right] = text.split('::');
  const head = left === '' ? [] : left.split(':');
  const end = right === undefined || right === '' ? [] : right.split(':');
  const missing = 8 - head.length - end.length;
  if (right === undefined ? missing !== 0 : missing < 0) return undefined;
  return [...head, ...Array.from({ length: right === undefined ? 0 : missing }, () => '0'), ...end].map((group) =>
    Number.parseInt(group, 16),
  );
}

function hexOf(v4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = v4.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function v4Of([high = 0, low = 0]: readonly number[]): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** Addresses and names that are allowed though they are private. */
export class AllowedHosts {
  readonly #all: boolean;
  readonly #names = new Set<string>();
  readonly #networks = new BlockList();

  /** @param allowed names, IP addresses, networks (`10.1.0.0/16`), or `*` for all. */
  constructor(allowed: readonly string[]) {
    this.#all = allowed.includes('*');
    for (const each of allowed) this.#add(each.trim().toLowerCase());
  }

  /** Whether a name was allowed as such, whatever address it has. */
  hasName(name: string): boolean {
    return this.#all || this.#names.has(name.toLowerCase());
  }

  /** Whether somebody may be called at an IP address. */
  mayCall(address: string): boolean {
    return !isPrivateAddress(address) || this.hasAddress(address);
  }

  /** Whether an IP address was allowed, by itself or with its network. */
  hasAddress(address: string): boolean {
    const kind = isIP(address);
    return this.#all || (kind !== 0 && this.#networks.check(address, kind === 4 ? 'ipv4' : 'ipv6'));
  }

  #add(text: string): void {
    const [address = '', bits] = text.split('/');
    const kind = isIP(address);
    if (kind === 0) this.#names.add(text);
    else this.#networks.addSubnet(address, Number(bits ?? (kind === 4 ? 32 : 128)), kind === 4 ? 'ipv4' : 'ipv6');
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { isIngotError } from '../errors.ts';
import { readTar } from '../package/foreign/tar-read.ts';
import { baseFromPackages } from './base-packages.ts';
import { gunzipped } from './base-tar-walk.ts';
import { compareDebianVersions } from './debian/version.ts';
import { mirrorOf, NEEDED, type TestPackage } from './testing/debian-mirror.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-packages-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARCHIVES = ['bookworm', 'bookworm-security'].map((suite) => ({ address: 'http://mirror', suite }));

type Mirror = Awaited<ReturnType<typeof mirrorOf>>;

async function baseOf(
  { reader }: Mirror,
  more: { readonly cache?: string; readonly packages?: readonly string[]; readonly platform?: typeof AMD64 } = {},
) {
  const { cache = 'cache', packages = [], platform = AMD64 } = more;
  const now = (): Date => new Date('2026-06-01T00:00:00Z');
  const options = {
    name: 'debian-packages:bookworm',
    archives: ARCHIVES,
    packages,
    reader,
    cache: join(root, cache),
    now,
  };
  return await baseFromPackages(options)(platform);
}

const mirror = (security: readonly TestPackage[] = []) => mirrorOf({ bookworm: NEEDED, 'bookworm-security': security });

async function refusal(work: Promise<unknown>): Promise<readonly [string, string]> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw error ?? new Error('it worked');
  return [error.code, error.message];
}

describe('a base of Debian packages', () => {
  it('has their files and what their scripts would have done, and nothing for people at a terminal', async () => {
    const base = await baseOf(await mirror());
    const [layer] = base.layers;
    const members = new Map<string, string>();
    if (layer === undefined) throw new Error('no layer');
    for await (const { path, mode, target, kind, body } of readTar(
      gunzipped(base.readLayer(layer.descriptor), 'root'),
      'root',
    )) {
      const text = kind === 'file' ? (await collect(body)).toString() : '';
      members.set(path, target ?? (kind === 'folder' ? mode.toString(8) : text));
    }
    expect(members.get('lib')).toBe('usr/lib');
    expect(members.get('usr/bin/sleep')).toBe('sleep');
    expect(members.get('usr/bin/python3')).toBe('usr/bin/python3.11');
    expect(members.get('etc/ssl/certs/ca-certificates.crt')).toBe('A\nB\n');
    expect(members.get('tmp/')).toBe('1777');
    expect(members.get('etc/passwd')).toContain('nonroot:x:65532');
    expect(members.get('var/lib/dpkg/status')).toContain('Package: gcc-base\nStatus: install ok installed\n');
    expect(members.get('usr/share/doc/python3/copyright')).toBe('license of 1.0-1');
    expect([...members.keys()].filter((path) => /changelog|debconf|openssl/.test(path))).toEqual([]);
    expect(await base.facts()).toEqual({
      distribution: { id: 'debian', version: '12' },
      python: { path: '/usr/bin/python3.11', version: '3.11' },
      libc: { name: 'glibc', version: '2.36' },
      hasShell: true,
      hasCertificates: true,
      libraries: ['libc.so.6'],
    });
  });

  it('is the same in another cache, and is neither downloaded nor made again', async () => {
    const from = await mirror();
    const [first, second] = [await baseOf(from), await baseOf(from, { cache: 'other' })];
    expect(second.layers).toEqual(first.layers);
    from.asked.length = 0;
    expect((await baseOf(from)).layers).toEqual(first.layers);
    expect(from.asked).toEqual(['dists/bookworm/InRelease', 'dists/bookworm-security/InRelease']);
  });

  it('takes the newest of each package, and packages that are named', async () => {
    const security = [
      { name: 'tzdata', version: '1.0-1+deb12u2' },
      { name: 'libpq5', members: [{ path: './usr/lib/libpq.so.5', text: 'pq' }] },
    ];
    const from = await mirror(security);
    const base = await baseOf(from, { packages: ['libpq5'] });
    expect(from.asked).toContain('pool/tzdata_1.0-1+deb12u2.deb');
    expect(from.asked).not.toContain('pool/tzdata_1.0-1.deb');
    expect((await base.facts()).libraries).toContain('libpq.so.5');
    expect(await refusal(baseOf(from, { packages: ['libpg5'] }))).toEqual([
      'not-found',
      'there is no Debian package "libpg5"',
    ]);
  });

  it('is refused when the release is unsigned, or has ended, or a package has other bytes', async () => {
    const unsigned = await mirror();
    unsigned.files.set('dists/bookworm/InRelease', Buffer.from('SHA256:\n'));
    expect((await refusal(baseOf(unsigned)))[0]).toBe('refused');
    const ended = await mirrorOf(
      { bookworm: NEEDED, 'bookworm-security': [] },
      { validUntil: 'Sat, 30 May 2026 00:00:00 UTC' },
    );
    expect((await refusal(baseOf(ended)))[0]).toBe('refused');
    const changed = await mirror();
    changed.files.set('pool/dash_1.0-1.deb', Buffer.from('other'));
    expect((await refusal(baseOf(changed, { cache: 'a' })))[0]).toBe('integrity');
    const list = await mirror();
    list.files.set('dists/bookworm/main/binary-amd64/Packages.gz', Buffer.from('x'));
    expect((await refusal(baseOf(list, { cache: 'b' })))[0]).toBe('integrity');
  });

  it('is refused when a package would write outside of the root', async () => {
    const hostile = await mirror([{ name: 'dash', version: '9', members: [{ path: '../../etc/passwd', text: 'x' }] }]);
    const [code, message] = await refusal(baseOf(hostile));
    expect([code, message]).toEqual(['invalid-package', expect.stringContaining('leads out of the image')]);
  });

  it('says which platforms it cannot be made for', async () => {
    const from = await mirror();
    expect((await refusal(baseOf(from, { platform: { os: 'linux', architecture: 'arm64' } })))[0]).toBe('not-found');
    expect((await refusal(baseOf(from, { platform: { os: 'windows', architecture: 'amd64' } })))[0]).toBe('not-found');
  });
});

it.each([
  ['1.0-1', '1.0-2', -1],
  ['1.10', '1.9', 1],
  ['1:1.0', '2.0', 1],
  ['1.0~rc1', '1.0', -1],
  ['1.0+b1', '1.0', 1],
  ['2.36-9+deb12u10', '2.36-9+deb12u9', 1],
  ['1.0a', '1.0+', -1],
  ['1.0', '1.0-0', 0],
] as const)('of the Debian versions %s and %s the order is %i', (a, b, order) => {
  expect(Math.sign(compareDebianVersions(a, b))).toBe(order);
  expect(Math.sign(compareDebianVersions(b, a))).toBe(order === 0 ? 0 : -order);
});

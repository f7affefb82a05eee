/** An archive of handmade Debian packages, in memory. */

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { IngotError } from '../../errors.ts';
import type { ArchiveReader } from '../debian/archive-lists.ts';
import { type TestMember, tarOf } from './tiny-base.ts';

/** A package of a test. */
export interface TestPackage {
  readonly name: string;
  readonly version?: string;
  readonly depends?: string;
  readonly provides?: string;
  readonly members?: readonly TestMember[];
}

/** What a base of packages takes, each with next to nothing in it. */
export const NEEDED: readonly TestPackage[] = [
  { name: 'base-files', members: [{ path: './usr/lib/os-release', text: 'ID=debian\nVERSION_ID="12"\n' }] },
  {
    name: 'ca-certificates',
    depends: 'openssl (>= 1.1.1), debconf (>= 0.5) | debconf-2.0',
    members: [
      { path: './usr/share/ca-certificates/mozilla/B.crt', text: 'B' },
      { path: './usr/share/ca-certificates/mozilla/A.crt', text: 'A\n' },
    ],
  },
  { name: 'coreutils', members: [{ path: './bin/sleep', mode: 0o755, text: 'sleep' }] },
  { name: 'dash', members: [{ path: './bin/sh', kind: 'link', target: 'dash' }] },
  { name: 'libc-bin' },
  { name: 'libgomp1', depends: 'gcc-base (= 12)' },
  { name: 'gcc-base' },
  { name: 'libstdc++6' },
  { name: 'tzdata' },
  {
    name: 'python3',
    depends: 'python3.11:any | python3.12, media-types',
    members: [
      { path: './usr/bin/python3.11', mode: 0o4755, text: 'python' },
      { path: './usr/bin/python3', kind: 'hardlink', target: './usr/bin/python3.11' },
      { path: './lib/x86_64-linux-gnu/libc.so.6', text: 'stable release version 2.36.' },
      { path: './usr/share/doc/python3/changelog.gz', text: 'long' },
      { path: './tmp/', kind: 'directory', mode: 0o1777 },
    ],
  },
  { name: 'python3.11' },
  { name: 'mailcap', provides: 'media-types (= 10), mime-support' },
];

/** Makes a `.deb`. */
export async function debOf(members: readonly TestMember[]): Promise<Buffer> {
  const member = (name: string, bytes: Uint8Array): Uint8Array[] => [
    Buffer.from(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`,
    ),
    bytes,
    Buffer.alloc(bytes.length % 2, '\n'),
  ];
  const parts = [
    member('debian-binary', Buffer.from('2.0\n')),
    member('control.tar.gz', gzipSync('')),
    member('data.tar.gz', gzipSync(await tarOf(members))),
  ];
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts.flat()]);
}

/** Makes archives of packages by suite; what is asked is noted. */
export async function mirrorOf(
  suites: Readonly<Record<string, readonly TestPackage[]>>,
  options: { readonly validUntil?: string; readonly architecture?: string } = {},
): Promise<{ readonly reader: ArchiveReader; readonly files: Map<string, Buffer>; readonly asked: string[] }> {
  const { architecture = 'amd64', validUntil } = options;
  const files = new Map<string, Buffer>();
  for (const [suite, packages] of Object.entries(suites)) {
    const stanzas: string[] = [];
    for (const { name, version = '1.0-1', depends, provides, members = [] } of packages) {
      const license = { path: `./usr/share/doc/${name}/copyright`, text: `license of ${version}` };
      const deb = await debOf([license, ...members]);
      const path = `pool/${name}_${version}.deb`;
      files.set(path, deb);
      const said = [
        `Package: ${name}`,
        `Version: ${version}`,
        `Architecture: ${architecture}`,
        `Filename: ${path}`,
        `Size: ${deb.length}`,
        `SHA256: ${sha256(deb)}`,
      ];
      stanzas.push(
        [...said, ...(depends ? [`Depends: ${depends}`] : []), ...(provides ? [`Provides: ${provides}`] : [])].join(
          '\n',
        ),
      );
    }
    const list = gzipSync(`${stanzas.join('\n\n')}\n`);
    const at = `main/binary-${architecture}/Packages.gz`;
    files.set(`dists/${suite}/${at}`, list);
    const release = `Suite: ${suite}\n${validUntil ? `Valid-Until: ${validUntil}\n` : ''}SHA256:\n ${sha256(list)} ${list.length} ${at}\n`;
    files.set(`dists/${suite}/InRelease`, Buffer.from(`signed\n${release}`));
  }
  const asked: string[] = [];
  return {
    files,
    asked,
    reader: {
      async *read(_, path) {
        asked.push(path);
        const bytes = files.get(path);
        if (bytes === undefined) throw new IngotError('content-not-found', `there is no ${path}`);
        yield bytes;
      },
      async verify(signed) {
        const text = Buffer.from(signed).toString();
        if (!text.startsWith('signed\n')) throw new IngotError('refused', 'nobody signed it');
        return text.slice('signed\n'.length);
      },
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

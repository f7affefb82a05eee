/**
 * A root file system of unpacked Debian packages: what their scripts would have done, and matters in a container, is done
 * here by name: users, links of the merged `/usr`, certificates, the time zone, the list of what is installed.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { IngotError } from '../../errors.ts';
import { comparePaths } from '../../package/paths.ts';
import { TAR_END, type TarEntry, tarHeader, tarPadding } from '../../package/tar.ts';
import type { DebianPackage } from './choose-packages.ts';
import { walkDeb } from './deb-members.ts';

/** A package that was downloaded. */
export interface DownloadedPackage {
  readonly package: DebianPackage;
  readonly file: string;
}

/** Directories that are links into `/usr`. Source: Debian's usrmerge. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** Texts for people at a terminal; licenses stay. */
const LEFT_OUT = [
  /^usr\/share\/doc\/(?!.*\/copyright$)/,
  /^usr\/share\/(?:man|info|locale|lintian|bug|doc-base|debconf|menu|applications|pixmaps|icons|bash-completion|gdb|python3\/debpython|readline\/inputrc)\//,
  /^usr\/share\/python3\/(?:runtime\.d|dist)\//,
  /^(?:var\/cache|var\/lib\/systemd|usr\/lib\/systemd|etc\/cron\.[a-z]+|etc\/init\.d|etc\/kernel|usr\/src)\//,
];

const CERTIFICATES = /^usr\/share\/ca-certificates\/.+\.crt$/;

const USERS = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin
`;
const GROUPS = 'root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n';
const NSSWITCH =
  'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n';

/** A member of the root file system; `text` or a range of the spool is what a file holds. */
type RootEntry = TarEntry & { readonly text?: Buffer; readonly from?: number };

const COPY_BYTES = 1024 * 1024;

/**
 * Streams the tar of a root file system, sorted by path, owner 0 and time 0, which follows from the packages alone.
 * @param spool a file for what is unpacked; made here, removed by the caller.
 */
export async function* packRoot(
  packages: readonly DownloadedPackage[],
  spool: string,
): AsyncGenerator<Uint8Array, void> {
  await using handle = await open(spool, 'wx+');
  const entries = new Map<string, RootEntry>();
  let end = 0;
  for (const one of packages) end = await unpack(one, entries, handle, end);
  await addOwn(entries, packages, handle);
  addParents(entries);
  const sorted = [...entries.values()].sort((a, b) => comparePaths(a.path, b.path));
  // What shares its bytes comes behind whatever it shares them with.
  for (const entry of [
    ...sorted.filter(({ kind }) => kind !== 'hardlink'),
    ...sorted.filter(({ kind }) => kind === 'hardlink'),
  ]) {
    yield tarHeader(entry.kind === 'directory' ? { ...entry, path: `${entry.path}/` } : entry);
    if (entry.text !== undefined) yield entry.text;
    else if (entry.from !== undefined) yield* readRange(handle, entry.from, entry.sizeBytes);
    if (entry.sizeBytes > 0) yield tarPadding(entry.sizeBytes);
  }
  yield TAR_END;
}

async function unpack(
  { package: { name, version }, file }: DownloadedPackage,
  entries: Map<string, RootEntry>,
  spool: FileHandle,
  start: number,
): Promise<number> {
  let end = start;
  for await (const item of walkDeb(file, `${name} ${version}`)) {
    const path = mergedPath(item.path);
    if (
      LEFT_OUT.some((pattern) => pattern.test(`${path}${item.kind === 'folder' ? '/' : ''}`)) ||
      MERGED.includes(path)
    )
      continue;
    const mode = item.mode & 0o1777;
    if (item.kind === 'folder') {
      if (!entries.has(path)) entries.set(path, { kind: 'directory', path, mode, sizeBytes: 0 });
    } else if (item.linkKind === 'symlink')
      entries.set(path, { kind: 'link', path, mode: 0o777, sizeBytes: 0, target: item.target ?? '' });
    else if (item.linkKind === 'hardlink')
      entries.set(path, {
        kind: 'hardlink',
        path,
        mode,
        sizeBytes: 0,
        target: mergedPath((item.target ?? '').replace(/^(?:\.?\/)+/, '')),
      });
    else if (item.kind === 'file') {
      entries.set(path, { path, mode, sizeBytes: item.sizeBytes, from: end });
      for await (const piece of item.body) end += (await spool.write(piece, 0, piece.byteLength, end)).bytesWritten;
    }
  }
  return end;
}

/** Where a path lies when `/bin`, `/lib` and their like are links into `/usr`. */
function mergedPath(path: string): string {
  const top = path.split('/', 1)[0] ?? '';
  return MERGED.includes(top) && path !== top ? `usr/${path}` : path;
}

async function addOwn(
  entries: Map<string, RootEntry>,
  packages: readonly DownloadedPackage[],
  spool: FileHandle,
): Promise<void> {
  const file = (path: string, text: string, mode = 0o644): void => {
    const bytes = Buffer.from(text);
    entries.set(path, { path, mode, sizeBytes: bytes.length, text: bytes });
  };
  const link = (path: string, target: string): void => {
    entries.set(path, { kind: 'link', path, mode: 0o777, sizeBytes: 0, target });
  };
  const directory = (path: string, mode = 0o755): void => {
    entries.set(path, { kind: 'directory', path, mode, sizeBytes: 0 });
  };
  for (const name of MERGED)
    if ([...entries.keys()].some((path) => path.startsWith(`usr/${name}/`))) link(name, `usr/${name}`);
  for (const name of ['dev', 'proc', 'sys', 'run', 'etc', 'home', 'home/nonroot', 'var', 'var/tmp']) directory(name);
  directory('tmp', 0o1777);
  directory('var/tmp', 0o1777);
  directory('root', 0o700);
  file('etc/passwd', USERS);
  file('etc/group', GROUPS);
  file('etc/nsswitch.conf', NSSWITCH);
  file('etc/timezone', 'Etc/UTC\n');
  link('etc/localtime', '/usr/share/zoneinfo/Etc/UTC');
  link('var/run', '/run');
  file('var/lib/dpkg/status', packages.map((one) => installed(one.package)).join('\n'));
  const certificates = await textsOf(CERTIFICATES, entries, spool);
  if (certificates === '') return;
  file('etc/ssl/certs/ca-certificates.crt', certificates);
  link('usr/lib/ssl/certs', '/etc/ssl/certs');
  link('usr/lib/ssl/cert.pem', '/etc/ssl/certs/ca-certificates.crt');
}

/** What dpkg would have noted: scanners read it to tell what an image holds. */
function installed({ name, version, architecture, source }: DebianPackage): string {
  const from = source === '' ? '' : `Source: ${source}\n`;
  return `Package: ${name}\nStatus: install ok installed\nArchitecture: ${architecture}\n${from}Version: ${version}\n`;
}

async function textsOf(pattern: RegExp, entries: ReadonlyMap<string, RootEntry>, spool: FileHandle): Promise<string> {
  const paths = [...entries.keys()].filter((path) => pattern.test(path)).sort();
  const texts: string[] = [];
  for (const path of paths) {
    const { from, sizeBytes = 0 } = entries.get(path) ?? {};
    if (from === undefined) continue;
    const bytes = Buffer.alloc(sizeBytes);
    await spool.read(bytes, 0, sizeBytes, from);
    texts.push(`${bytes.toString('latin1').trimEnd()}\n`);
  }
  return texts.join('');
}

function addParents(entries: Map<string, RootEntry>): void {
  for (const path of [...entries.keys()])
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = path.slice(0, at);
      if (!entries.has(parent)) entries.set(parent, { kind: 'directory', path: parent, mode: 0o755, sizeBytes: 0 });
    }
}

async function* readRange(handle: FileHandle, from: number, sizeBytes: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < sizeBytes; ) {
    const bytes = Buffer.allocUnsafe(Math.min(COPY_BYTES, sizeBytes - at));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from + at);
    if (bytesRead === 0) throw new IngotError('unexpected', 'what was unpacked is gone', { operation: 'bake' });
    at += bytesRead;
    yield bytes.subarray(0, bytesRead);
  }
}

import { IngotError } from '../errors.ts';
import { canonicalJson, isJsonObject, parseJson } from '../json.ts';
import { createOciDigester, ociDigestOf } from '../oci/digest.ts';
import { packingOf } from '../oci/media-types.ts';
import type { OciOptions } from '../oci/oci-place.ts';
import { formatPlatform } from '../oci/platform.ts';
import { join } from 'node:path';
import type { BaseFacts, BaseImage } from './base-image.ts';
import { gunzipped, walkImageTar } from './base-tar-walk.ts';
import { readOr, replaceFile } from './layer-records.ts';
import { watched } from './layer-stream.ts';

/** Counted up when more is looked for. */
const FACTS_FORMAT = 3;
/** Files that are read in part or whole to learn something. */
const READ_BYTES = 16 * 1024 * 1024;

const PYTHON = /^((?:usr\/local|usr|opt\/venv|opt\/conda|opt\/python)\/bin|bin)\/python(3\.\d+)$/;
const NODE = /^(?:usr\/local|usr)\/bin\/node$/;
const SHELL = /^(?:usr\/)?bin\/(?:sh|bash|dash|busybox)$/;
const LIBRARY = /^(?:usr\/local\/|usr\/)?lib(?:64|32)?\/(?:[a-z0-9_]+-linux-[a-z0-9]+\/)?([^/]+\.so(?:\.[0-9.]+)?)$/;
const GLIBC = /(?:^|\/)libc(?:-2\.\d+)?\.so(?:\.6)?$/;
const MUSL = /(?:^|\/)ld-musl-[a-z0-9_]+\.so\.1$/;
const RELEASE = /^(?:usr\/lib|etc)\/os-release$/;
const APK = 'lib/apk/db/installed';
const CERTIFICATES = /^etc\/(?:ssl\/certs\/ca-certificates\.crt|ssl\/cert\.pem|pki\/tls\/certs\/ca-bundle\.crt)$/;

/** Whether a path tells anything. */
const TELLING = [PYTHON, NODE, SHELL, LIBRARY, RELEASE, CERTIFICATES, /^lib\/apk\/db\/installed$/];
const READ = [GLIBC, RELEASE, /^lib\/apk\/db\/installed$/];

/** Telling paths of an image, with the text of those that are read. */
type Found = Map<string, string | undefined>;

/**
 * Looks through the layers of a base, once: what was found is remembered by their digests, packed and not. Every layer is
 * compared with the digest of its tar that the config names.
 * @throws IngotError `invalid-package` (no tar, or one that may not be unpacked), `integrity`, `not-found` where its files
 * are for another platform.
 */
export async function factsOf(base: BaseImage, cache: string, options: OciOptions = {}): Promise<BaseFacts> {
  const key = ociDigestOf(
    canonicalJson([FACTS_FORMAT, ...base.layers.map(({ descriptor, diffId }) => [descriptor.digest, diffId])]),
  );
  const path = join(cache, 'bases', `${key.slice('sha256:'.length)}.json`);
  const text = await readOr(path);
  const remembered = text === undefined ? undefined : foundFrom(text);
  if (remembered !== undefined) return conclude(checkMachine(remembered, base));
  const found: Found = new Map();
  for (const layer of base.layers) await lookThrough(base, layer, found, options);
  await replaceFile(path, canonicalJson([...found].map(([name, said]) => [name, said ?? null])));
  return conclude(checkMachine(found, base));
}

/** Numbers of processors in programs, by what images call them. Source: ELF, e_machine. */
const MACHINES: Readonly<Record<string, string>> = {
  3: '386',
  21: 'ppc64le',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
};

/** A root file system names no platform, and a config may name another than its files are for. */
function checkMachine(found: Found, { name, platform }: BaseImage): Found {
  const numbers = [...found.values()].flatMap((said = '') =>
    [...said.matchAll(/^ELF (\d+)$/gm)].map(([, n]) => n ?? ''),
  );
  const machines = [...new Set(numbers.flatMap((number) => MACHINES[number] ?? []))];
  const [first] = machines;
  if (first === undefined || machines.includes(platform.architecture)) return found;
  throw new IngotError('not-found', `${name} holds programs for linux/${first}, not ${formatPlatform(platform)}`, {
    operation: 'bake',
    hint: `--platform linux/${first}`,
    details: { platform: formatPlatform(platform), platforms: machines.map((one) => `linux/${one}`) },
  });
}

async function lookThrough(
  base: BaseImage,
  { descriptor, diffId }: BaseImage['layers'][number],
  found: Found,
  options: OciOptions,
): Promise<void> {
  const what = `the layer ${descriptor.digest.slice(0, 19)}… of ${base.name}`;
  const packing = packingOf(descriptor.mediaType);
  if (packing === undefined || packing === 'zstd')
    throw new IngotError('invalid-package', `${what} cannot be read: it is ${descriptor.mediaType}`, {
      operation: 'bake',
      hint: 'skopeo copy --dest-compress-format gzip --dest-force-compress-format docker://BASE oci:DIR, then --base oci:DIR',
    });
  const packed = base.readLayer(descriptor, options);
  const digester = createOciDigester(diffId.startsWith('sha512:') ? 'sha512' : 'sha256');
  const tar = watched(packing === 'gzip' ? gunzipped(packed, what) : packed, (piece) => digester.update(piece));
  await addTar(tar, what, found);
  if (digester.finish() !== diffId)
    throw new IngotError('integrity', `${what} is another tar than the config of the image says: not ${diffId}`, {
      operation: 'bake',
    });
}

/** Adds what the members of a layer tell to what those below it told. */
async function addTar(tar: AsyncIterable<Uint8Array>, what: string, found: Found): Promise<void> {
  const here: Found = new Map();
  for await (const item of walkImageTar(tar, what)) {
    const at = item.path.lastIndexOf('/') + 1;
    const name = item.path.slice(at);
    if (name.startsWith('.wh.')) hide(item.path.slice(0, at), name.slice('.wh.'.length), found);
    else if (item.kind !== 'folder' && TELLING.some((pattern) => pattern.test(item.path)))
      here.set(
        item.path,
        item.kind === 'file' && READ.some((pattern) => pattern.test(item.path)) ? await textOf(item.body) : undefined,
      );
  }
  for (const [path, text] of here) found.set(path, text);
}

/** Takes away what a whiteout hides of the layers below. Source: image-spec, layer.md, "Whiteouts". */
function hide(folder: string, name: string, found: Found): void {
  const hidden = name === '.wh..opq' ? folder : `${folder}${name}`;
  for (const path of found.keys())
    if (path === hidden || path.startsWith(hidden.endsWith('/') || hidden === '' ? hidden : `${hidden}/`))
      found.delete(path);
}

/** What is read of a file: what tells a version. */
async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    if (bytes < READ_BYTES) pieces.push(Uint8Array.from(piece));
    bytes += piece.byteLength;
  }
  const whole = Buffer.concat(pieces);
  const text = whole.toString('latin1');
  const machines = whole.length > 20 && text.startsWith('\x7fELF') ? [`ELF ${machineOf(whole)}`] : [];
  return [...machines, ...told(text)].join('\n');
}

function machineOf(elf: Buffer): number {
  const [DATA, BIG_ENDIAN, MACHINE] = [5, 2, 18];
  return elf[DATA] === BIG_ENDIAN ? elf.readUInt16BE(MACHINE) : elf.readUInt16LE(MACHINE);
}

function told(text: string): string[] {
  return [/^ID=.*$/m, /^VERSION_ID=.*$/m, /release version \d+\.\d+/, /^P:musl\nV:[0-9.]+/m].flatMap(
    (pattern) => pattern.exec(text) ?? [],
  );
}

function conclude(found: Found): BaseFacts {
  const paths = [...found.keys()];
  const said = (pattern: RegExp): string =>
    paths.flatMap((path) => (pattern.test(path) ? [found.get(path) ?? ''] : [])).join('\n');
  const release = said(RELEASE);
  const id = /^ID="?([^"\n]+)/m.exec(release)?.[1];
  const version = /^VERSION_ID="?([^"\n]+)/m.exec(release)?.[1];
  const python = newestPython(paths);
  const libc = libcOf(paths, said(GLIBC), found.get(APK) ?? '');
  const node = paths.find((path) => NODE.test(path));
  return {
    ...(id === undefined ? {} : { distribution: { id, ...(version !== undefined && { version }) } }),
    ...(python === undefined ? {} : { python }),
    ...(libc === undefined ? {} : { libc }),
    ...(node === undefined ? {} : { node: `/${node}` }),
    hasShell: paths.some((path) => SHELL.test(path)),
    hasCertificates: paths.some((path) => CERTIFICATES.test(path)),
    libraries: [...new Set(paths.flatMap((path) => LIBRARY.exec(path)?.[1] ?? []))].sort(),
  };
}

/** Where a Python that somebody put there lies before the distribution's own. */
const PLACES = ['opt/venv/bin', 'opt/conda/bin', 'opt/python/bin', 'usr/local/bin', 'usr/bin', 'bin'];

function newestPython(paths: readonly string[]): BaseFacts['python'] {
  const all = paths.flatMap((path) => {
    const [, place = '', version = ''] = PYTHON.exec(path) ?? [];
    return version === ''
      ? []
      : [{ path: `/${path}`, version, place: PLACES.indexOf(place), minor: Number(version.slice(2)) }];
  });
  const [first] = all.sort((a, b) => a.place - b.place || b.minor - a.minor);
  return first === undefined ? undefined : { path: first.path, version: first.version };
}

function libcOf(paths: readonly string[], glibc: string, apk: string): BaseFacts['libc'] {
  if (paths.some((path) => MUSL.test(path))) {
    const version = /^V:(\d+\.\d+)/m.exec(apk)?.[1];
    return { name: 'musl', ...(version !== undefined && { version }) };
  }
  if (!paths.some((path) => GLIBC.test(path))) return undefined;
  const version = /release version (\d+\.\d+)/.exec(glibc)?.[1];
  return { name: 'glibc', ...(version !== undefined && { version }) };
}

function foundFrom(text: string): Found | undefined {
  const value = parseJson(text);
  if (!Array.isArray(value)) return undefined;
  const entries = value.flatMap((entry) => {
    if (isJsonObject(entry) || !Array.isArray(entry)) return [];
    const [path, said] = entry;
    return typeof path === 'string' ? [[path, typeof said === 'string' ? said : undefined] as const] : [];
  });
  return new Map(entries);
}

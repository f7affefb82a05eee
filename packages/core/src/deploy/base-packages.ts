import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collect } from '../blob/bytes.ts';
import { IngotError } from '../errors.ts';
import { canonicalJson } from '../json.ts';
import { makeDirectory } from '../make-directory.ts';
import { createOciDigester, ociDigestOf } from '../oci/digest.ts';
import { OCI_MEDIA_TYPES } from '../oci/media-types.ts';
import type { OciDigest, OciOptions, Platform } from '../oci/oci-place.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { OnProgress } from '../progress.ts';
import type { FindBase } from './bake-options.ts';
import { factsOf } from './base-facts.ts';
import type { BaseImage } from './base-image.ts';
import {
  type ArchiveReader,
  checkSha256,
  type DebianArchive,
  readList,
  type ReleasedList,
  releasedList,
} from './debian/archive-lists.ts';
import { choosePackages, type DebianPackage } from './debian/choose-packages.ts';
import { type DownloadedPackage, packRoot } from './debian/root-files.ts';
import { inLanes } from './in-lanes.ts';
import { type KeptBytes, KeptLayers } from './kept-layers.ts';
import { readOr, replaceFile } from './layer-records.ts';
import { watched } from './layer-stream.ts';
import { storedGzip } from './stored-gzip.ts';

/** Debian packages that make a base. */
export interface BasePackages {
  /** As it was asked for: `debian-packages:bookworm`. */
  readonly name: string;
  /** Where they come from; the newest of each package is taken. */
  readonly archives: readonly DebianArchive[];
  /** Names of packages, besides those that a Python service needs. Default: none. */
  readonly packages?: readonly string[];
  readonly reader: ArchiveReader;
  /** Directory of the cache. */
  readonly cache: string;
  readonly now: () => Date;
  readonly onProgress?: OnProgress;
}

/** What a Python service needs, and a shell for who looks into its container. */
const PACKAGES = [
  'base-files',
  'ca-certificates',
  'coreutils',
  'dash',
  'libc-bin',
  'libgomp1',
  'libstdc++6',
  'python3',
  'tzdata',
];

const ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: 'amd64',
  arm64: 'arm64',
  arm: 'armhf',
  '386': 'i386',
  ppc64le: 'ppc64el',
  s390x: 's390x',
};
/** Counted up when the same packages make another root. */
const ROOT_FORMAT = 2;
const LANES = 4;

/**
 * A base of Debian packages, made without root and without running anything of them: they are downloaded from their
 * archive, whose signature is checked, unpacked, and put into one deterministic layer.
 * @throws IngotError `not-found` (platform, suite or package), `refused` (signature), `unavailable`, `integrity`.
 */
export function baseFromPackages(options: BasePackages): FindBase {
  return async (platform, call = {}) => {
    const architecture = architectureOf(platform, options.name);
    const { name, cache } = options;
    const kept = new KeptLayers(join(cache, 'layers'));
    const chosen = await choose(options, architecture, call);
    const made = await rootOf(chosen, kept, options, call);
    // Whoever prunes the cache may do so at any time.
    const readRoot = async function* (descriptor: KeptBytes): AsyncGenerator<Uint8Array, void> {
      if (!(await kept.has(descriptor))) await rootOf(chosen, kept, options, call);
      yield* kept.read(descriptor);
    };
    const base: BaseImage = {
      name,
      platform,
      layers: [
        {
          descriptor: { mediaType: OCI_MEDIA_TYPES.layerGzip, digest: made.digest, size: made.size },
          diffId: made.diffId,
        },
      ],
      config: { env: [], labels: {} },
      configJson: {},
      facts: (facts) => factsOf(base, cache, facts),
      readLayer: readRoot,
    };
    return base;
  };
}

function architectureOf(platform: Platform, name: string): string {
  const found = platform.os === 'linux' ? ARCHITECTURES[platform.architecture] : undefined;
  if (found !== undefined) return found;
  throw new IngotError('not-found', `${name} has no packages for ${formatPlatform(platform)}`, {
    operation: 'bake',
    details: { platforms: Object.keys(ARCHITECTURES).map((one) => `linux/${one}`) },
  });
}

/** Lists are long: what was chosen from them is remembered by their digests. */
async function choose(
  options: BasePackages,
  architecture: string,
  call: OciOptions,
): Promise<readonly DebianPackage[]> {
  const { archives, reader, now, cache, packages = [] } = options;
  const lists: ReleasedList[] = [];
  for (const archive of archives)
    lists.push(await releasedList(archive, architecture, reader, { ...call, now: now() }));
  const wanted = [...PACKAGES, ...packages];
  const key = ociDigestOf(
    canonicalJson([ROOT_FORMAT, wanted, lists.map(({ archive, sha256 }) => [archive.address, sha256])]),
  );
  const path = join(cache, 'debian', 'chosen', `${key.slice('sha256:'.length)}.json`);
  const text = await readOr(path);
  if (text !== undefined) {
    const remembered: readonly DebianPackage[] = JSON.parse(text);
    return remembered;
  }
  const listed: DebianPackage[] = [];
  for (const list of lists) for await (const one of readList(list, reader, call)) listed.push(one);
  const chosen = choosePackages(listed, wanted);
  await replaceFile(path, JSON.stringify(chosen));
  return chosen;
}

interface RootLayer extends KeptBytes {
  readonly diffId: OciDigest;
}

/** Keeps a root, whose length is only known when it is there. */
async function keepRoot(
  tar: AsyncIterable<Uint8Array>,
  kept: KeptLayers,
  spool: string,
  { signal }: OciOptions,
): Promise<RootLayer> {
  const digester = createOciDigester();
  const file = `${spool}.tar`;
  try {
    let sizeBytes = 0;
    const plain = watched(tar, (piece) => {
      digester.update(piece);
      sizeBytes += piece.byteLength;
    });
    await writeFile(file, plain, { ...(signal && { signal }) });
    return { diffId: digester.finish(), ...(await kept.keep(storedGzip(createReadStream(file), sizeBytes), signal)) };
  } finally {
    await rm(file, { force: true });
  }
}

/** Makes the layer of a root, or finds it. */
async function rootOf(
  chosen: readonly DebianPackage[],
  kept: KeptLayers,
  options: BasePackages,
  call: OciOptions,
): Promise<RootLayer> {
  const { cache } = options;
  const key = ociDigestOf(
    canonicalJson([ROOT_FORMAT, chosen.map(({ name, version, sha256 }) => [name, version, sha256])]),
  );
  const path = join(cache, 'debian', 'roots', `${key.slice('sha256:'.length)}.json`);
  const text = await readOr(path);
  if (text !== undefined) {
    const known: RootLayer = JSON.parse(text);
    if (await kept.has(known)) return known;
  }
  const downloaded = await download(chosen, options, call);
  const spool = join(cache, 'debian', `${randomBytes(6).toString('hex')}.part`);
  try {
    const made = await keepRoot(packRoot(downloaded, spool), kept, spool, call);
    await replaceFile(path, JSON.stringify(made));
    return made;
  } finally {
    await rm(spool, { force: true });
  }
}

async function hasSha256(file: string, { sha256, sizeBytes }: DebianPackage): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found?.size !== sizeBytes) return false;
  return (
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex') === sha256
  );
}

async function download(
  chosen: readonly DebianPackage[],
  { reader, cache, onProgress }: BasePackages,
  { signal }: OciOptions,
): Promise<readonly DownloadedPackage[]> {
  const pool = join(cache, 'debian', 'pool');
  await makeDirectory(pool);
  return await inLanes(
    chosen,
    LANES,
    async (one, ended) => {
      const file = join(pool, `${one.sha256}.deb`);
      const isHere = await hasSha256(file, one);
      const tell = (doneBytes: number, newBytes: number): void =>
        onProgress?.({
          phase: 'fetch',
          path: `${one.name} ${one.version}`,
          doneBytes,
          totalBytes: one.sizeBytes,
          newBytes,
          storedBytes: doneBytes - newBytes,
        });
      if (!isHere) {
        const bytes = await collect(reader.read(one.archive, one.path, { signal: ended }));
        checkSha256(bytes, one.sha256, `${one.archive}/${one.path}`);
        const draft = `${file}.${randomBytes(6).toString('hex')}.part`;
        await writeFile(draft, bytes);
        await rename(draft, file);
        tell(one.sizeBytes, one.sizeBytes);
      } else tell(one.sizeBytes, 0);
      return { package: one, file };
    },
    signal,
  );
}

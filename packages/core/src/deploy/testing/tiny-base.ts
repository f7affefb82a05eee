/** Small bases and layers for tests of baking. */

import { gzipSync } from 'node:zlib';
import { bodyOf } from '../../blob/bytes.ts';
import { packTar, type TarEntry } from '../../package/tar.ts';
import { ociDigestOf } from '../../oci/digest.ts';
import { OCI_MEDIA_TYPES } from '../../oci/media-types.ts';
import { describeManifest, writeManifest } from '../../oci/manifest.ts';
import type { OciPlace, Platform, StoredManifest } from '../../oci/oci-place.ts';
import type { ImageLayer } from '../image-layer.ts';

/** A member of a tar that is made for a test. */
export type TestMember = Partial<TarEntry> & { readonly path: string; readonly text?: string };

/** Makes a tar of members just as they are said, hostile ones included. */
export async function tarOf(members: readonly TestMember[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const entries = members.map(({ text = '', ...member }) => ({
    mode: 0o644,
    sizeBytes: Buffer.byteLength(text),
    ...member,
    open: bodyOf(text).open,
  }));
  for await (const piece of packTar(entries)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Where Debian's Python image has things, in a few bytes. */
export const PYTHON_FILES: readonly TestMember[] = [
  { path: 'bin', kind: 'link', target: 'usr/bin' },
  { path: 'etc/os-release', text: 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n' },
  { path: 'etc/ssl/certs/ca-certificates.crt', text: 'certificates' },
  { path: 'usr/bin/dash', mode: 0o755, text: 'shell' },
  { path: 'usr/bin/sh', kind: 'link', target: 'dash' },
  { path: 'usr/bin/python3.11', mode: 0o755, text: 'python' },
  {
    path: 'usr/lib/x86_64-linux-gnu/libc.so.6',
    text: '\0\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n',
  },
];

/** Puts an image of one layer where it may serve as a base. */
export async function putBase(
  place: OciPlace,
  options: {
    readonly platform?: Platform;
    readonly tar?: Uint8Array;
    /** The tar that its config names. Default: the one it has. */
    readonly says?: Uint8Array;
    readonly config?: Readonly<Record<string, string | readonly string[]>>;
    readonly tag?: string;
    /** As registries have most layers. Default: a plain tar. */
    readonly gzip?: boolean;
  } = {},
): Promise<StoredManifest> {
  const { platform = { os: 'linux', architecture: 'amd64' }, config = {} } = options;
  const tar = options.tar ?? (await tarOf(PYTHON_FILES));
  const bytes = options.gzip === true ? gzipSync(tar) : tar;
  const mediaType = options.gzip === true ? OCI_MEDIA_TYPES.layerGzip : OCI_MEDIA_TYPES.layer;
  const layer = { mediaType, digest: ociDigestOf(bytes), size: bytes.byteLength };
  await place.putBlob(layer, bodyOf(bytes).open);
  const json = Buffer.from(
    JSON.stringify({
      ...platform,
      config,
      rootfs: { type: 'layers', diff_ids: [ociDigestOf(options.says ?? tar)] },
      history: [{ created_by: 'test' }],
    }),
  );
  const described = { mediaType: OCI_MEDIA_TYPES.config, digest: ociDigestOf(json), size: json.byteLength };
  await place.putBlob(described, bodyOf(json).open);
  const manifest = writeManifest({ config: described, layers: [layer] });
  await place.putManifest(manifest, { ...(options.tag !== undefined && { tag: options.tag }) });
  return manifest;
}

/** Puts an index of some manifests. */
export async function putIndex(
  place: OciPlace,
  entries: readonly { readonly manifest: StoredManifest; readonly platform: Platform }[],
  tag: string,
): Promise<void> {
  const manifests = entries.map(({ manifest, platform }) => ({ ...describeManifest(manifest), platform }));
  await place.putManifest(writeManifest({ manifests }), { tag });
}

/** A layer of texts that counts how often it was made. */
export function textLayer(
  name: ImageLayer['name'],
  files: Readonly<Record<string, string>>,
  options: { readonly gzip?: boolean; readonly inputs?: ImageLayer['inputs'] } = {},
): ImageLayer & { readonly made: () => number } {
  let made = 0;
  return {
    name,
    inputs: options.inputs ?? { files: ociDigestOf(JSON.stringify(files)) },
    createdBy: `test: ${name}`,
    ...(options.gzip === undefined ? {} : { gzip: options.gzip }),
    made: () => made,
    async make() {
      made += 1;
      return {
        entries: Object.entries(files).map(([path, text]) => ({
          kind: 'file' as const,
          path,
          sizeBytes: Buffer.byteLength(text),
          open: bodyOf(text).open,
        })),
        [Symbol.asyncDispose]: async () => {},
      };
    },
  };
}

import { packingOf } from '../oci/media-types.ts';
import type { OciOptions } from '../oci/oci-place.ts';
import type { BaseImage } from './base-image.ts';
import { gunzipped, walkImageTar } from './base-tar-walk.ts';

/** Files of an image are read whole; larger ones are passed over. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/**
 * Reads files of a base by their paths in the image (`usr/lib/python3.11/os.py`), as the topmost layer has them.
 * @throws IngotError as reading the layers does; `invalid-package` for a layer that may not be unpacked.
 */
export async function readBaseFiles(
  base: BaseImage,
  isWanted: (path: string) => boolean,
  options: OciOptions = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const { descriptor } of base.layers) {
    const what = `the layer ${descriptor.digest.slice(0, 19)}… of ${base.name}`;
    const packed = base.readLayer(descriptor, options);
    const tar = packingOf(descriptor.mediaType) === 'gzip' ? gunzipped(packed, what) : packed;
    const here = new Map<string, Uint8Array>();
    for await (const item of walkImageTar(tar, what)) {
      const at = item.path.lastIndexOf('/') + 1;
      const name = item.path.slice(at);
      if (name.startsWith('.wh.')) hide(item.path.slice(0, at), name.slice('.wh.'.length), found);
      else if (item.kind === 'file' && isWanted(item.path)) {
        const bytes = await whole(item.body);
        if (bytes !== undefined) here.set(item.path, bytes);
      }
    }
    for (const [path, bytes] of here) found.set(path, bytes);
  }
  return found;
}

/** Source: image-spec, layer.md, "Whiteouts". */
function hide(folder: string, name: string, found: Map<string, Uint8Array>): void {
  const hidden = name === '.wh..opq' ? folder : `${folder}${name}`;
  for (const path of found.keys())
    if (path === hidden || path.startsWith(hidden === '' || hidden.endsWith('/') ? hidden : `${hidden}/`))
      found.delete(path);
}

async function whole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes <= MAX_FILE_BYTES) pieces.push(Uint8Array.from(piece));
  }
  return bytes <= MAX_FILE_BYTES ? Buffer.concat(pieces) : undefined;
}

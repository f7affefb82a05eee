import { describe, expect, it } from 'vitest';
import { isIngotError } from '../errors.ts';
import { collect } from '../blob/bytes.ts';
import { checkedBlob } from './checked-blob.ts';
import { isOciDigest, ociDigestOf, parseOciDigest } from './digest.ts';
import { checkManifest, parseOciManifest, writeManifest } from './manifest.ts';
import { OCI_MEDIA_TYPES, packingOf } from './media-types.ts';
import type { Descriptor, OciReader, StoredManifest } from './oci-place.ts';
import { choosePlatform, parsePlatform, platformOfMachine, readImage } from './platform.ts';

const EMPTY: Descriptor = { mediaType: OCI_MEDIA_TYPES.empty, digest: ociDigestOf('{}'), size: 2 };

function refusal(value: unknown, mediaType: string = OCI_MEDIA_TYPES.manifest): string {
  try {
    parseOciManifest({ bytes: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), mediaType });
  } catch (error) {
    if (isIngotError(error, 'invalid-package')) return error.message;
    throw error;
  }
  return 'taken';
}

const image = (more: object) => ({ schemaVersion: 2, config: EMPTY, layers: [], ...more });

describe('a manifest that may come from anywhere', () => {
  it.each<[string, unknown, string]>([
    ['no JSON', '{"schemaVersion":', 'no JSON object'],
    ['a list', [], 'no JSON object'],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, 'schema 1'],
    ['no version', { config: EMPTY, layers: [] }, 'schemaVersion should be 2'],
    ['both kinds at once', image({ manifests: [] }), 'both layers and manifests'],
    [
      'another kind than it was handed over as',
      { schemaVersion: 2, mediaType: OCI_MEDIA_TYPES.index, manifests: [] },
      'handed over as',
    ],
    ['no config', { schemaVersion: 2, layers: [] }, 'config should be an object'],
    ['a size below zero', image({ layers: [{ ...EMPTY, size: -1 }] }), 'layers[0].size'],
    ['a size of no whole number', image({ layers: [{ ...EMPTY, size: 1.5 }] }), 'layers[0].size'],
    [
      'a digest that climbs',
      image({ layers: [{ ...EMPTY, digest: 'sha256:../../../etc/passwd' }] }),
      'layers[0].digest',
    ],
    ['capital digits', image({ layers: [{ ...EMPTY, digest: EMPTY.digest.toUpperCase() }] }), 'layers[0].digest'],
    ['a type with a line break', image({ layers: [{ ...EMPTY, mediaType: 'a/b\r\nx: y' }] }), 'layers[0].mediaType'],
    ['an annotation that is a number', image({ annotations: { a: 1 } }), 'annotations["a"]'],
    ['layers that are no list', image({ layers: { length: 1e9 } }), 'layers should be a list'],
  ])('is refused with %s', (_, value, why) => {
    expect(refusal(value)).toContain(why);
  });

  it('is refused above 4 MB', () => {
    expect(refusal(image({ annotations: { a: 'x'.repeat(4 * 1024 * 1024) } }))).toContain('4 MB');
  });

  it('is of the kind it says, and of that it is handed over as where it is silent', () => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] }));
    expect(parseOciManifest({ bytes, mediaType: OCI_MEDIA_TYPES.index }).kind).toBe('index');
    expect(refusal(bytes.toString())).toContain('both layers and manifests');
  });

  it('is refused when its bytes are not those of its digest, of either algorithm', () => {
    const { bytes, mediaType } = writeManifest({ config: EMPTY, layers: [] });
    const sha512 = ociDigestOf(bytes, 'sha512');
    expect(checkManifest(bytes, mediaType, sha512).digest).toBe(sha512);
    for (const other of [ociDigestOf('x'), ociDigestOf('x', 'sha512')])
      expect(() => checkManifest(bytes, mediaType, other)).toThrow(/has other bytes/);
  });

  it('is written the same from the same draft', () => {
    const one = writeManifest({ config: EMPTY, layers: [EMPTY], annotations: { b: '2', a: '1' } });
    const two = writeManifest({ annotations: { a: '1', b: '2' }, layers: [EMPTY], config: EMPTY });
    expect(one.digest).toBe(two.digest);
    expect(parseOciManifest(one)).toMatchObject({ kind: 'manifest', annotations: { a: '1', b: '2' } });
  });
});

describe('contents on their way', () => {
  async function* pieces(...texts: string[]) {
    for (const text of texts) yield Buffer.from(text);
  }
  const wanted = { digest: ociDigestOf('hello', 'sha512'), size: 5 };

  it('pass when they are what they are said to be', async () => {
    expect((await collect(checkedBlob(wanted, pieces('he', 'llo')))).toString()).toBe('hello');
  });

  it.each([['hullo'], ['hell'], ['hello!']])('stop with an error when they are "%s"', async (text) => {
    await expect(collect(checkedBlob(wanted, pieces(text)))).rejects.toMatchObject({ code: 'integrity' });
  });

  it('are never given beyond their size', async () => {
    const given: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of checkedBlob(wanted, pieces('hel', 'lo and more'))) given.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'integrity' });
    expect(Buffer.concat(given).toString()).toBe('hel');
  });
});

describe('the platform of an index', () => {
  const entry = (text: string): Descriptor => ({ ...EMPTY, digest: ociDigestOf(text), platform: parsePlatform(text) });
  const index = { manifests: ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'linux/arm/v6'].map(entry) };

  it('is the one of the variant, where 64-bit Arm means v8', () => {
    const chosen = (text: string) => choosePlatform(index, parsePlatform(text))?.platform;
    expect(chosen('linux/arm64/v8')).toEqual(parsePlatform('linux/arm64'));
    expect(chosen('linux/arm/v6')).toEqual(parsePlatform('linux/arm/v6'));
    expect(chosen('linux/arm')).toEqual(parsePlatform('linux/arm/v7'));
    expect(chosen('linux/arm/v5')).toBeUndefined();
    expect(chosen('windows/amd64')).toBeUndefined();
    expect(platformOfMachine('x64')).toEqual(parsePlatform('linux/amd64'));
  });

  it('is named among those there are when it is missing', async () => {
    const place: Pick<OciReader, 'manifest'> = {
      manifest: async (): Promise<StoredManifest> => writeManifest(index),
    };
    await expect(readImage(place, 'v1', parsePlatform('linux/s390x'))).rejects.toMatchObject({
      code: 'not-found',
      details: { platforms: ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'linux/arm/v6'] },
    });
    // An index that lists itself would otherwise never end.
    await expect(readImage(place, 'v1', parsePlatform('linux/amd64'))).rejects.toThrow(/indexes within indexes/);
  });
});

it('knows how a layer is packed by its type alone', () => {
  const types = {
    [OCI_MEDIA_TYPES.layer]: 'none',
    [OCI_MEDIA_TYPES.layerGzip]: 'gzip',
    [OCI_MEDIA_TYPES.layerZstd]: 'zstd',
    [OCI_MEDIA_TYPES.dockerLayerGzip]: 'gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'gzip',
    'application/vnd.cncf.model.weight.v1.tar': 'none',
    'application/vnd.kitops.modelkit.model.v1.tar+gzip': 'gzip',
    'application/vnd.cncf.model.weight.v1.raw': undefined,
    'application/vnd.in-toto+json': undefined,
  };
  for (const [type, packing] of Object.entries(types)) expect(packingOf(type)).toBe(packing);
});

it('takes digests in small digits only', () => {
  expect(isOciDigest(EMPTY.digest)).toBe(true);
  for (const bad of ['', 'sha256:', `sha256:${'0'.repeat(65)}`, `md5:${'0'.repeat(32)}`, `${EMPTY.digest}\n`])
    expect(() => parseOciDigest(bad)).toThrow(/is not a digest/);
});

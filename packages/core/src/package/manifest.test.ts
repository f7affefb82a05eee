import { expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { canonicalJson } from '../json.ts';
import { planLayers } from './layers.ts';
import { parseManifest } from './manifest-read.ts';
import { findCollision, whyUnsafePath } from './paths.ts';
import { readPackage } from './read.ts';
import { CHURN, testDirectory } from './testing/fixtures.ts';

function json(bytes: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  return { ...value };
}

test('manifest and config follow the ModelPack specification to the letter', async () => {
  await using directory = await testDirectory();
  await directory.write({ ...CHURN, 'README.md': '# churn', 'churn.csv': 'a\n1\n', 'weights/a.bin': 'x' });
  const plan = await readPackage(directory.path);
  const manifest = json(plan.manifest);
  expect(Object.keys(manifest).sort()).toEqual([
    'annotations',
    'artifactType',
    'config',
    'layers',
    'mediaType',
    'schemaVersion',
  ]);
  expect(manifest).toMatchObject({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.cncf.model.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.cncf.model.config.v1+json',
      digest: plan.configDigest,
      size: plan.config.length,
    },
  });
  const config = json(plan.config);
  expect(Object.keys(config).sort()).toEqual(['config', 'descriptor', 'modelfs']);
  expect(config).toEqual({
    config: { format: 'pickle' },
    descriptor: {
      name: 'Example Model',
      version: '1.0',
      description: 'A model that predicts the probability of a customer churning.',
      authors: ['Example Author'],
      createdAt: '2023-03-01T00:00:00Z',
    },
    modelfs: { type: 'layers', diffIds: plan.files.map(({ digest }) => digest) },
  });
  const layers = manifest.layers;
  if (!Array.isArray(layers)) throw new Error('no layers');
  expect(layers.map((layer) => `${layer.annotations['org.cncf.model.filepath']} ${layer.mediaType}`)).toEqual([
    'README.md application/vnd.cncf.model.doc.v1.raw',
    'churn.csv application/vnd.cncf.model.dataset.v1.raw',
    'interface.py application/vnd.cncf.model.code.v1.raw',
    'metadata.yaml application/vnd.cncf.model.weight.config.v1.raw',
    'model.pkl application/vnd.cncf.model.weight.v1.raw',
    'requirements.txt application/vnd.cncf.model.code.v1.raw',
    'weights/a.bin application/vnd.cncf.model.weight.v1.raw',
  ]);
  expect(layers[0]).toEqual({
    mediaType: 'application/vnd.cncf.model.doc.v1.raw',
    digest: digestOf('# churn'),
    size: 7,
    annotations: {
      'org.cncf.model.filepath': 'README.md',
      'org.opencontainers.image.title': 'README.md',
      'org.cncf.model.file.metadata+json':
        '{"name":"README.md","mode":420,"uid":0,"gid":0,"size":7,"mtime":"1970-01-01T00:00:00Z","typeflag":48}',
      'org.cncf.model.file.mediatype.untested': 'false',
    },
  });
});

test('what is read back from a manifest is what was planned, metadata losslessly', async () => {
  await using directory = await testDirectory();
  await directory.write(CHURN);
  const plan = await readPackage(directory.path);
  const back = parseManifest(plan.manifest, { expected: plan.manifestDigest });
  expect(canonicalJson(back.metadata)).toBe(canonicalJson(plan.metadata));
  expect(back.metadata?.raw).toMatchObject({ version: '1.0', hyperparameters: { dropout: '1.0' } });
  expect(back.metadata?.hyperparameters).toMatchObject({ dropout: 1 });
  expect(back).toMatchObject({
    flavor: 'python',
    interfacePath: 'interface.py',
    artifactPath: 'model.pkl',
    requirements: ['scikit-learn==1.9.1', 'pandas==3.0.1'],
    environmentVariables: [{ name: 'TOKENIZERS_PARALLELISM', default: 'false' }],
    executesCode: true,
    description: 'A model that predicts the probability of a customer churning.',
    signature: plan.signature,
  });
  expect(back.files).toEqual(
    plan.files.map(({ path, sizeBytes, mode, digest }) => ({ path, sizeBytes, mode, digest })),
  );
});

test('files that lie in more than 1,000 places become one tar layer', async () => {
  const paths = Array.from({ length: 1001 }, (_, index) => ({ path: `f${index}.bin` }));
  expect(planLayers(paths)).toMatchObject([{ kind: 'tar', directory: '.' }]);
  expect(planLayers(paths.slice(1))).toHaveLength(1000);
});

const HOSTILE = [
  '../x',
  '/etc/passwd',
  'a/../../b',
  'a//b',
  './a',
  'a/.',
  'C:/x',
  'a\\b',
  'a\0b',
  'a\nb',
  '',
  '.',
  '..',
  'x'.repeat(300),
  '\ud800',
];

test.each(HOSTILE)('the path %j of a manifest is refused', async (path) => {
  await using directory = await testDirectory();
  await directory.write({ 'model.bin': 'x' });
  const plan = await readPackage(directory.path, { name: 'm' });
  const forged = JSON.stringify(json(plan.manifest)).replaceAll('"model.bin"', JSON.stringify(path));
  expect(whyUnsafePath(path)).toBeDefined();
  expect(() => parseManifest(Buffer.from(forged))).toThrow(/manifest cannot be used|model.bin|should be/);
});

test.each([
  [['a', 'A'], true],
  [['a', 'a/b'], true],
  [['a/b', 'A/c'], true],
  [['é', 'e\u0301'], true],
  [['a/b', 'a/c', 'ab'], false],
])('%j collide: %s', (paths, expected) => {
  expect(findCollision(paths) !== undefined).toBe(expected);
});

test.each(['', '[]', '{}', '{"schemaVersion":2}', 'null', '{"schemaVersion":1}', '\xff'])(
  '%j is no manifest',
  (text) => {
    expect(() => parseManifest(Buffer.from(text, 'latin1'))).toThrow();
  },
);

test('other bytes than the digest promised are an integrity error', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.bin': 'x' });
  const plan = await readPackage(directory.path, { name: 'm' });
  expect(() => parseManifest(plan.manifest, { expected: digestOf('other') })).toThrow(
    expect.objectContaining({ code: 'integrity' }),
  );
});

import { collect } from '@ingot/core/blob/bytes';
import { digestOf } from '@ingot/core/digest';
import { openStoredPackage } from '@ingot/core/package/stored-package';
import { IngotError } from '@ingot/core/errors';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactPath } from './artifact-path.ts';
import { ArtifactTree } from './artifact-tree.ts';
import { ModelPackages } from './model-packages.ts';
import { type ArtifactTests, bodyOf, noise, openArtifactTests, type ServedArtifacts } from './testing/served.ts';

const ID = `m-${'0'.repeat(32)}`;
const ROOT = `0/models/${ID}/artifacts`;
const WEIGHTS = noise(3_000_000);

const MODEL = {
  MLmodel: JSON.stringify({
    flavors: {
      python_function: { loader_module: 'mlflow.sklearn', python_version: '3.11.7' },
      sklearn: { pickled_model: 'model.pkl' },
    },
    run_id: 'f'.repeat(32),
    signature: { inputs: '[{"type": "double", "name": "a", "required": true}]', outputs: null },
  }),
  'requirements.txt': 'scikit-learn==1.9.1\n',
};

let tests: ArtifactTests;
let served: ServedArtifacts;
let tree: ArtifactTree;
let packages: ModelPackages;

beforeAll(async () => {
  tests = await openArtifactTests();
});

beforeEach(async () => {
  served = await tests.begin();
  tree = new ArtifactTree(served.context);
  const nothing = async (): Promise<never> => {
    throw new IngotError('not-found', 'there is none');
  };
  const places = { run: nothing, loggedModel: async () => `mlflow-artifacts:/${ROOT}` };
  packages = new ModelPackages({ context: served.context, reader: tree.reader }, { version: nothing }, places);
});

afterAll(() => tests[Symbol.asyncDispose]());

async function logModel(): Promise<void> {
  for (const [path, text] of Object.entries(MODEL)) await tree.put(ArtifactPath.parse(`${ROOT}/${path}`), bodyOf(text));
  await tree.put(ArtifactPath.parse(`${ROOT}/model.pkl`), bodyOf(WEIGHTS), { sizeBytes: WEIGHTS.length });
}

async function keysUnder(prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of served.blobs.list(prefix)) keys.push(key);
  return keys;
}

async function packedBytes(): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of served.blobs.list('packs/')) sum += sizeBytes;
  return sum;
}

describe('a logged model that is ready', () => {
  it('becomes a package with flavor, signature, environment and run, under a root of its name', async () => {
    await logModel();
    await packages.loggedModelReady(ID);
    expect(await keysUnder('roots/logged-models/')).toEqual([`roots/logged-models/${ID}.json`]);
    const draft = await packages.packageOf(`models:/${ID}`);
    expect(draft).toMatchObject({
      flavor: 'sklearn',
      signature: { inputs: [{ name: 'a', type: 'float' }] },
      environment: { python: '3.11.7', requirements: ['scikit-learn==1.9.1'] },
      lineage: { run: 'f'.repeat(32) },
    });
    const { contents } = served.context.store;
    const { recipe, description } = await openStoredPackage(contents, draft);
    expect(description.files.map(({ path }) => path)).toContain('flavor.json');
    const weights = await collect(contents.read(recipe, digestOf(WEIGHTS)));
    expect(Buffer.from(weights).equals(WEIGHTS)).toBe(true);
  });

  it('costs no second copy of its weights', async () => {
    await logModel();
    const before = await packedBytes();
    await packages.packageOf(`models:/${ID}`);
    expect((await packedBytes()) - before).toBeLessThan(50_000);
  });

  it('is the same package whenever and however it is registered, and costs nothing the second time', async () => {
    await logModel();
    const first = await packages.packageOf(`models:/${ID}`);
    const before = await packedBytes();
    const again = await packages.packageOf(`mlflow-artifacts:/${ROOT}`);
    expect(again).toEqual(first);
    expect(await packedBytes()).toBe(before);
  });

  it('is another package when its files are others, and the root of the first goes', async () => {
    await logModel();
    const first = await packages.packageOf(`models:/${ID}`);
    await tree.put(ArtifactPath.parse(`${ROOT}/requirements.txt`), bodyOf('scikit-learn==1.9.2\n'));
    const second = await packages.packageOf(`models:/${ID}`);
    expect(second.manifest).not.toBe(first.manifest);
    // The first still has the other small files; the second has its own.
    expect(await keysUnder('roots/logged-models/')).toContain(`roots/logged-models/${ID}-1.json`);
  });

  it('lets go of everything when its files are removed', async () => {
    await logModel();
    await packages.loggedModelReady(ID);
    await tree.remove(ArtifactPath.parse('0'));
    expect(await keysUnder('roots/')).toEqual([]);
  });
});

describe('a source that is no model of this server', () => {
  it.each(['s3://bucket/model', 'dbfs:/models/x', 'mlflow-artifacts:/0/nothing/there'])(
    'becomes a version by reference: %s',
    async (source) => {
      const draft = await packages.packageOf(source);
      const { contents } = served.context.store;
      const { recipe, description } = await openStoredPackage(contents, draft);
      expect(description.files.map(({ path }) => path)).toEqual(['reference.json']);
      const [file] = description.files;
      const text = Buffer.from(await collect(contents.read(recipe, file?.digest ?? digestOf('')))).toString();
      expect(JSON.parse(text)).toEqual({ format: 1, source });
      expect(await packages.packageOf(source)).toEqual(draft);
    },
  );

  it('is refused when it climbs', async () => {
    await expect(packages.packageOf('mlflow-artifacts:/0/../../etc')).rejects.toMatchObject({
      code: 'invalid-request',
    });
  });
});

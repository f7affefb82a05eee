import { mkdir, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createMemoryBlobStore } from './blob/memory.ts';
import { openPackageCache } from './package/cache.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import { SourceReader } from './source-reader.ts';

const CONFIG = 'featureNames: [age, spent]\nclassNames: [stays, leaves]\n';
const CODE =
  'class Model:\n    def predict_proba(self, rows):\n        return rows\n\ndef load_model():\n    return Model()\n';

test('a model of another system that is served from its folder keeps its sample rows, the second time too', async () => {
  await using directory = await testDirectory();
  const folder = directory.join('models/churn');
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/model_config.yaml`, CONFIG);
  await writeFile(`${folder}/prediction_interface.py`, CODE);
  await writeFile(`${folder}/sample_data.csv`, 'age,spent\n41,12.5\n');
  const reader = new SourceReader({
    cache: openPackageCache({ directory: directory.join('cache') }),
    directory: directory.join('cache/sources'),
    open: async () => createMemoryBlobStore(),
    host: { cwd: directory.join('models') },
    now: () => new Date(Date.now() + 60_000),
  });
  for (let time = 0; time < 2; time += 1) {
    const { cached } = await reader.open('./churn/');
    expect(cached.servable.example).toEqual({ inputs: [{ age: 41, spent: 12.5 }] });
  }
});

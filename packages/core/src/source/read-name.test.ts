import { describe, expect, it } from 'vitest';
import { compareMarks, wholeNumber } from './marks.ts';
import { readName } from './read-name.ts';

/** What a name is read as: words, then `v` and its stage for versions, the time for dates. */
function shown(name: string): string {
  const { words, marks, ids } = readName(name);
  const said = marks.map((mark) =>
    mark.kind === 'date'
      ? new Date(mark.atMs).toISOString().replace(/T00:00:00\.000Z$|:00\.000Z$/, '')
      : `v${mark.components.join('.')}${mark.stage === 0 ? '' : `(${mark.stage}/${mark.stageNumber})`}`,
  );
  return [...words, ...said, ...ids.map((id) => `#${id}`)].join(' ');
}

describe('readName', () => {
  it.each([
    ['sentiment_model_v1.2', 'sentiment model v1.2'],
    ['sentiment-model-1.2.3', 'sentiment model v1.2.3'],
    ['churn_v1_2_3', 'churn v1.2.3'],
    ['churnV3', 'churn v3'],
    ['churn.v3', 'churn v3'],
    ['Churn Model (v3)', 'churn model v3'],
    ['release-3', 'v3'],
    ['ver.4', 'v4'],
    ['v007', 'v7'],
    ['00042', 'v42'],
    ['v2-rc1', 'v2(-2/1)'],
    ['1.0rc2', 'v1.0(-2/2)'],
    ['1.0.0-alpha.1', 'v1.0.0(-4/1)'],
    ['1.2a1', 'v1.2(-4/1)'],
    ['1.2b', 'v1.2(-3/0)'],
    ['2.0.dev5', 'v2.0(-6/5)'],
    ['1.2-SNAPSHOT', 'v1.2(-5/0)'],
    ['1.2.3.post1', 'v1.2.3(1/1)'],
    ['v1.2+build5', 'v1.2'],
    ['v1.2_final', 'v1.2'],
    ['model_final', 'model'],
    ['v2024.1.0', 'v2024.1.0'],
    ['2024.1.0', 'v2024.1.0'],
    ['forecast_model_2024-01-31', 'forecast model 2024-01-31'],
    ['forecast_20240131', 'forecast 2024-01-31'],
    ['forecast_2024_01_31', 'forecast 2024-01-31'],
    ['forecast.2024.01.31', 'forecast 2024-01-31'],
    ['f_2024_01_31T1200', 'f 2024-01-31T12:00'],
    ['f-20240131-120000', 'f 2024-01-31T12:00'],
    ['f-20240131120000', 'f 2024-01-31T12:00'],
    ['f_2024-01-31 12:30', 'f 2024-01-31T12:30'],
    ['f_2024-01-31_12-30-00', 'f 2024-01-31T12:30'],
    ['20240131T120000Z', '2024-01-31T12:00'],
    ['20240131T120000+0200', '2024-01-31T10:00'],
    ['20240131T120000.500Z', '2024-01-31T12:00:00.500Z'],
    ['f_2024-W05', 'f 2024-01-29'],
    ['f_2024W05-3', 'f 2024-01-31'],
    ['f_2024-Q2', 'f 2024-04-01'],
    ['f_2024-01', 'f 2024-01-01'],
    ['f_202402', 'f 2024-02-01'],
    ['f_2024', 'f 2024-01-01'],
    ['31Jan2024', '2024-01-31'],
    ['31. January 2024', '2024-01-31'],
    ['f_Jan2024', 'f 2024-01-01'],
    ['f_september-2024', 'f 2024-09-01'],
    ['f_2024-Feb', 'f 2024-02-01'],
    ['marketing_2024', 'marketing 2024-01-01'],
    ['f_2024-2-3', 'f 2024-02-03'],
    ['f_2024_11_5', 'f 2024-11-05'],
    ['f-2024-Jan-31', 'f 2024-01-31'],
    ['f_jan-31-2024', 'f 2024-01-31'],
    ['f_31-01-2024', 'f 2024-01-31'],
    ['f_01-31-2024', 'f 2024-01-31'],
    ['1706659200', '2024-01-31'],
    ['1706659200000', '2024-01-31'],
    ['f_2024-02-31', 'f 2024-02-01 v31'],
    ['churn_v2_20240131', 'churn v2 2024-01-31'],
    ['2024-01-31_2', '2024-01-31 v2'],
    ['checkpoint-500', 'checkpoint v500'],
    ['epoch=3-step=100', 'epoch step v3 v100'],
    ['model_epoch10', 'model epoch v10'],
    ['acc0.93_epoch10', 'epoch v10 #acc0.93'],
    ['model_20240131_3f2a9c1', 'model 2024-01-31 #3f2a9c1'],
    ['model_3f2a9c1d', 'model #3f2a9c1d'],
    ['churn-0b4b1c7e-1f0a-4c1b-9d3e-5a6b7c8d9e0f', 'churn #0b4b1c7e-1f0a-4c1b-9d3e-5a6b7c8d9e0f'],
    ['word2vec_v3', 'word2vec v3'],
    ['resnet50', 'resnet50'],
    ['llama_7b_v2', 'llama 7b v2'],
    ['conv2d', 'conv2d'],
    ['bert-base-uncased', 'bert base uncased'],
    ['', ''],
    ['---', ''],
    ['модель_v2', 'модель v2'],
  ])('reads %s as %s', (name, expected) => {
    expect(shown(name)).toBe(expected);
  });

  it('takes a day and a month apart only where something says which is which', () => {
    expect(readName('f_03-04-2024').marks.some((mark) => mark.kind === 'date')).toBe(false);
    const [mark] = readName('f_03-04-2024', { dayOrder: 'day-first' }).marks;
    expect(mark).toMatchObject({ kind: 'date', atMs: Date.UTC(2024, 3, 3) });
  });

  it('reads what follows a v as a version, also where it looks like a year', () => {
    expect(readName('2024', { afterV: true }).marks).toMatchObject([{ kind: 'version', components: ['2024'] }]);
  });

  // What took time by the square of the length would not end within the time of a test.
  it('reads names of a hundred thousand characters', () => {
    for (const name of ['1.'.repeat(50_000), '-'.repeat(100_000), 'a1'.repeat(50_000), '2024-'.repeat(20_000)]) {
      expect(readName(name).marks).toBeInstanceOf(Array);
    }
  });
});

describe('compareMarks', () => {
  it.each([
    ['v1.9', 'v1.10'],
    ['v9', 'v10'],
    ['v2-rc1', 'v2'],
    ['v2-alpha', 'v2-beta'],
    ['v2-beta.2', 'v2-beta.11'],
    ['v2-rc9', 'v2-rc10'],
    ['v2.0.dev1', 'v2.0a1'],
    ['v1.10', 'v2-rc1'],
    ['v1', 'v1.1'],
    ['v1.2', 'v1.2.post1'],
    ['v1', 'v1_20240131'],
    ['v1_20240131', 'v1_20240201'],
    ['v99999999999999999998', 'v99999999999999999999'],
    ['20231231', '2024-01-01'],
    ['2024-01-31', '20240131-120000'],
    ['2024-W04', '2024-W05'],
    ['2024-W05', '2024-01-31'],
    ['2024-01-31', 'v1'],
    ['epoch=3-step=900', 'epoch=4-step=100'],
  ])('counts %s as older than %s', (older, newer) => {
    expect(compareMarks(readName(older).marks, readName(newer).marks)).toBeLessThan(0);
    expect(compareMarks(readName(newer).marks, readName(older).marks)).toBeGreaterThan(0);
  });

  it('counts 1.2 and 1.2.0 as the same', () => {
    expect(compareMarks(readName('v1.2').marks, readName('v1.2.0').marks)).toBe(0);
  });
});

describe('wholeNumber', () => {
  it.each([
    ['v3', 3],
    ['007', 7],
    ['v1.0', undefined],
    ['v3-rc1', undefined],
    ['v3_20240131', undefined],
    ['2024', undefined],
    ['v0', undefined],
    ['churn', undefined],
  ])('gives for %s %s', (name, number) => {
    expect(wholeNumber(readName(name).marks)).toBe(number);
  });
});

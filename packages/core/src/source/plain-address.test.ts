import { describe, expect, it } from 'vitest';
import { parseGlob } from './glob.ts';
import { isPlainAddress, parsePlainAddress } from './plain-address.ts';

const host = { cwd: '/srv/here', home: '/home/ana' };
const parse = (text: string) => parsePlainAddress(text, host);
const parts = (text: string): string[] => parse(text).parts.map((part) => part.text);

describe('isPlainAddress', () => {
  it.each([
    '/srv/m.pkl',
    './m.pkl',
    '../m',
    '.',
    '..',
    '~/m',
    '~',
    'file:///m',
    'file:/m',
    's3://b/k',
    'S3://b',
    'gs://b',
    'sftp://h/p',
    'oci://h',
  ])('says that %s is one', (text) => {
    expect(isPlainAddress(text)).toBe(true);
  });

  it.each([
    'churn',
    'churn:7',
    'team/churn@production',
    'churn@sha256:00',
    'churn.pkl',
    'models/churn.pkl',
    '~ana',
    '.hidden',
  ])('says that %s is a reference', (text) => {
    expect(isPlainAddress(text)).toBe(false);
  });
});

describe('parsePlainAddress', () => {
  it.each([
    ['./models/m.pkl', '/srv/here/models', ['m.pkl']],
    ['~/m.pkl', '/home/ana', ['m.pkl']],
    ['file:///models/v2/', '/models', ['v2']],
    ['file:///a%20b/m%23.pkl', '/a b', ['m#.pkl']],
    ['/models/v*/model.pkl', '/models', ['v*', 'model.pkl']],
    ['/m', '/', ['m']],
    ['s3://bucket/models/m_v1.pkl', 's3://bucket/models', ['m_v1.pkl']],
    ['s3://bucket/m.pkl?endpoint=http://h:1&region=r', 's3://bucket?endpoint=http://h:1&region=r', ['m.pkl']],
    ['s3://bucket/', 's3://bucket', []],
    ['s3://bucket', 's3://bucket', []],
    ['s3://bucket/a b/100%/m.pkl', 's3://bucket/a b/100%', ['m.pkl']],
    ['s3://bucket/model_v?.pkl', 's3://bucket', ['model_v?.pkl']],
    ['az://account/container/m.pkl', 'az://account/container', ['m.pkl']],
    ['sftp://u@h:22/srv/a%20b/m.pkl', 'sftp://u@h:22/srv/a%20b', ['m.pkl']],
    ['https://h/models/m.onnx', 'https://h/models', ['m.onnx']],
  ])('divides %s into %s and %j', (text, root, names) => {
    expect(parse(text).root).toBe(root);
    expect(parts(text)).toEqual(names);
  });

  it.each([
    ['s3://b/m.pkl?versionId=abc.1', 's3://b', 'abc.1'],
    ['s3://b/m.pkl?region=r&versionId=x', 's3://b?region=r', 'x'],
    ['gs://b/m.pkl#1706659200', 'gs://b', '1706659200'],
    ['gs://b/m.pkl?generation=17', 'gs://b', '17'],
    ['az://c/m.pkl?versionid=2024-01-31T00:00:00.0Z', 'az://c', '2024-01-31T00:00:00.0Z'],
    ['az://c/m.pkl?snapshot=2024', 'az://c', 'snapshot:2024'],
  ])('finds the object version in %s', (text, root, objectVersion) => {
    expect(parse(text)).toMatchObject({ root, objectVersion });
  });

  it('says what is a directory and what a pattern', () => {
    expect(parse('./models/').isDirectory).toBe(true);
    expect(parse('.').isDirectory).toBe(true);
    expect(parse('s3://b/models').isDirectory).toBe(false);
    expect(parse('./models/v*').isPattern).toBe(true);
    expect(parse('./models/v[[]1].pkl').isPattern).toBe(false);
  });

  it('refuses what nobody can mean, with what was meant', () => {
    expect(() => parse('s4://b/k')).toThrow(expect.objectContaining({ code: 'usage', nearest: 's3://b/k' }));
    expect(() => parse('./models/**/m.pkl')).toThrow(/\*\* is not understood/);
    expect(() => parse('s3://b/models/?versionId=x')).toThrow(/belongs to one file/);
    expect(() => parse('file://host/m')).toThrow(/is not a file address/);
  });

  it('keeps passwords out of what is shown', () => {
    expect(parse('sftp://u:secret@h/m.pkl').text).not.toContain('secret');
  });
});

describe('parseGlob', () => {
  it.each([
    ['m_v*.pkl', 'm_v1.2.pkl', ['1.2']],
    ['m_v?.pkl', 'm_v1.pkl', ['1']],
    ['m_v?.pkl', 'm_v10.pkl', undefined],
    ['m_[ab]*', 'm_b7', ['b', '7']],
    ['m_[!ab]*', 'm_b7', undefined],
    ['m_[0-9]', 'm_4', ['4']],
    ['m[*].pkl', 'm*.pkl', []],
    ['*', 'any.thing', ['any.thing']],
    ['m.pkl', 'mxpkl', undefined],
  ])('matches %s with %s: %j', (pattern, name, values) => {
    expect(parseGlob(pattern).match(name)).toEqual(values);
  });
});

describe('addresses of an MLflow server', () => {
  const host = { cwd: '/srv', trackingUri: 'https://ana:secret@mlflow.example/team/' };

  it.each(['models:/churn/7', 'models:/churn@production', 'models://churn/latest', 'runs:/0123/model'])(
    'are addresses: %s',
    (text) => {
      expect(isPlainAddress(text)).toBe(true);
      expect(parsePlainAddress(text, host)).toMatchObject({ text, isPattern: false, isDirectory: true });
    },
  );

  it('belong to the server that is named, whichever that is', () => {
    const { root, parts } = parsePlainAddress('models:/churn@production', host);
    expect(root).toBe('mlflow+https://ana:secret@mlflow.example/team/models');
    expect(parts.map(({ literal }) => literal)).toEqual(['churn@production']);
  });

  it('need a server: none, or a directory, is an error that says what to do', () => {
    expect(() => parsePlainAddress('models:/churn/7', { cwd: '/srv' })).toThrow('MLFLOW_TRACKING_URI names none');
    expect(() => parsePlainAddress('models:/churn/7', { cwd: '/srv', trackingUri: './mlruns' })).toThrow('no server');
  });
});

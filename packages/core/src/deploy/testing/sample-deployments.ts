import { parseDigest } from '../../digest.ts';
import type { Deployment } from '../deployment.ts';

const DIGEST = parseDigest(`sha256:${'7'.repeat(64)}`);
const image = (name: string, digit: string): string => `registry.example.com/${name}@sha256:${digit.repeat(64)}`;

const CHURN = {
  name: 'churn',
  model: 'churn',
  cpu: { request: '500m' },
  memory: { request: '1Gi', limit: '1Gi' },
  without: new Set<never>(),
} as const;

/** Deployments of each way in which a model comes to its servers, as tests and trials render them. */
export const SAMPLE_DEPLOYMENTS: Readonly<Record<'generic' | 'baked' | 'imageVolume' | 'hostile', Deployment>> = {
  generic: {
    ...CHURN,
    source: 'churn@production',
    delivery: { kind: 'download', models: 'churn@production', registry: 'https://models.example.com' },
    image: image('ingot:1', 'a'),
    scale: { kind: 'automatic', min: 2, max: 10 },
  },
  baked: {
    ...CHURN,
    namespace: 'models',
    source: 'churn:7',
    version: '7',
    digest: DIGEST,
    delivery: { kind: 'baked' },
    image: image('churn:7', 'b'),
    scale: { kind: 'fixed', replicas: 3 },
    cpu: { request: '1', limit: '4' },
  },
  imageVolume: {
    ...CHURN,
    name: 'team-churn',
    model: 'team/churn',
    source: 'team/churn:7',
    version: '7',
    digest: DIGEST,
    delivery: { kind: 'image', image: image('team/churn-model:7', 'c') },
    image: image('ingot:1', 'a'),
    scale: { kind: 'automatic', min: 1, max: 4 },
  },
  // What no check lets through: rendering must keep it a text all the same.
  hostile: {
    ...CHURN,
    source: `x"\n- kind: Secret\n  'no' $(HOME) \${HOME} %h {{ .Values }} # */ \u2028`,
    delivery: {
      kind: 'download',
      models: `a: b\n---\nkind: Pod # $(whoami) \${PATH} %H "'\\`,
      registry: 's3://models/team?endpoint=https%3A%2F%2Fs3.example.com%3A9443',
    },
    image: image('ingot:1', 'a'),
    scale: { kind: 'fixed', replicas: 1 },
    variables: { ANSWER: 'no', OCTAL: '0777', QUOTE: `"'\\ $x \${y} %z` },
  },
};

import type { OptionSpec, VerbSpec } from './verb.ts';

const SOURCE = {
  name: 'SOURCE',
  about: 'what to serve, like churn@production (followed) or churn:7 (that version)',
  complete: 'reference',
} as const;

const OUTPUT: OptionSpec = {
  name: 'output',
  short: 'o',
  value: 'DIR',
  about: 'write files here (default: all to stdout)',
  complete: 'directory',
};
const NAME: OptionSpec = { name: 'name', value: 'NAME', about: 'what it is called there (default: the model’s name)' };
const SIZE: readonly OptionSpec[] = [
  { name: 'cpu', value: 'N[:MAX]', about: 'processors of a server, like 500m or 1:4 (default: 500m, no limit)' },
  { name: 'memory', value: 'SIZE[:MAX]', about: 'memory of a server, like 2Gi or 1Gi:2Gi (default: 1Gi)' },
  { name: 'set', value: 'K=V', about: 'one more variable of the servers, no secret', many: true },
];
const IMAGES: readonly OptionSpec[] = [
  { name: 'image', value: 'IMAGE', about: 'image of the model server, as `ingot bake` made it', required: true },
  { name: 'baked', about: 'the image holds the model: nothing is downloaded' },
  { name: 'model-image', value: 'IMAGE', about: 'a model-only image that the model is taken from' },
];
const CLUSTER: readonly OptionSpec[] = [
  { name: 'namespace', value: 'NAME', about: 'namespace of all objects (default: that of who applies them)' },
  { name: 'replicas', value: 'N', about: 'always as many servers (default: 2 to 10, as the load needs)' },
  { name: 'min', value: 'N', about: 'as many servers at least' },
  { name: 'max', value: 'N', about: 'as many servers at most' },
];

/** Verbs that hand a model over to engines that run it. */
export const DEPLOY_VERBS: readonly VerbSpec[] = [
  {
    name: 'deploy',
    about: 'write what an engine needs to run model servers',
    group: 'serve',
    verbs: [
      {
        name: 'kubernetes',
        about: 'objects for Kubernetes, as the base of a Kustomize overlay',
        group: 'serve',
        args: [SOURCE],
        options: [
          ...IMAGES,
          NAME,
          ...CLUSTER,
          ...SIZE,
          {
            name: 'without',
            value: 'KIND',
            about: 'leave out a kind: networkpolicy, servicemonitor, poddisruptionbudget',
            many: true,
            complete: ['networkpolicy', 'servicemonitor', 'poddisruptionbudget'],
          },
          OUTPUT,
        ],
        examples: [
          'ingot deploy kubernetes churn@production --image registry.example.com/ingot:1 -o k8s/churn',
          'ingot deploy kubernetes churn:7 --image registry.example.com/churn:7 --baked | kubectl apply -f -',
        ],
      },
      {
        name: 'kserve',
        about: 'an InferenceService with its runtime and storage container',
        group: 'serve',
        args: [SOURCE],
        options: [...IMAGES, NAME, ...CLUSTER, ...SIZE, OUTPUT],
        examples: ['ingot deploy kserve churn:7 --image registry.example.com/ingot:1 -o kserve/churn'],
      },
      {
        name: 'compose',
        about: 'a compose file for one machine',
        group: 'serve',
        args: [SOURCE],
        options: [
          ...IMAGES,
          { name: 'with-registry', about: 'also run a registry server that it asks' },
          NAME,
          ...SIZE,
          OUTPUT,
        ],
        examples: ['ingot deploy compose churn@production --image registry.example.com/ingot:1 -o churn'],
      },
      {
        name: 'systemd',
        about: 'a confined unit for one machine',
        group: 'serve',
        args: [SOURCE],
        options: [
          { name: 'program', value: 'PATH', about: 'where ingot is there (default: /usr/local/bin/ingot)' },
          NAME,
          ...SIZE,
          OUTPUT,
        ],
        examples: ['ingot deploy systemd churn@production -o /etc/systemd/system'],
      },
    ],
  },
  {
    name: 'storage-initializer',
    resumes: true,
    about: 'bring models to directories, as KServe calls it',
    group: 'serve',
    args: [{ name: 'URI DIRECTORY', about: 'ingot://churn@production /mnt/models; several pairs', many: true }],
    examples: ['ingot storage-initializer ingot://churn@production /mnt/models'],
  },
];

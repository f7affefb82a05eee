import type { VerbSpec } from './verb.ts';

/** Verbs that make images. */
export const BAKE_VERBS: readonly VerbSpec[] = [
  {
    name: 'bake',
    resumes: true,
    about: 'make a container image of a model, with its environment and the model server',
    group: 'serve',
    args: [
      {
        name: 'SOURCE',
        about: 'the model, like churn@production; several make one image that serves all of them',
        optional: true,
        many: true,
        complete: 'reference',
      },
    ],
    options: [
      {
        name: 'output',
        short: 'o',
        value: 'WHERE',
        about: 'oci:DIR[:TAG], docker-archive:FILE, or HOST/NAME[:TAG] of a registry',
      },
      {
        name: 'base',
        value: 'IMAGE',
        about: 'what it stands on: an image, oci:DIR, rootfs:FILE.tar, debian-packages, … (docs/bake.md)',
        setting: 'bake-base',
      },
      { name: 'platform', value: 'OS/ARCH', about: 'linux/amd64, linux/arm64; several make an index', many: true },
      { name: 'python', value: 'VERSION', about: 'the Python of the base, or its path there (default: found there)' },
      { name: 'model-only', about: "only the model's files in /models, for image volumes and KServe's modelcar" },
      { name: 'generic', about: 'no model: the server, for whatever INGOT_MODELS names when it starts' },
      {
        name: 'env',
        value: 'SOURCE',
        about: 'with --generic: the model whose environment is put in',
        complete: 'reference',
      },
      { name: 'without-setup', about: "leave out a package's setup.sh, which cannot run in an image that is baked" },
      { name: 'gzip', about: 'compress environment and server (default: nothing is, which is faster)' },
      {
        name: 'format',
        value: 'FORM',
        about: "dockerfile: a folder to build the image from; files: only the model's",
        complete: ['image', 'dockerfile', 'files'],
      },
    ],
    examples: [
      'ingot bake churn@production --base python:3.11-slim -o registry.example.com/team/churn',
      'ingot bake churn:7 --base debian-packages -o docker-archive:churn.tar',
      'ingot bake churn:7 --model-only -o registry.example.com/team/churn-model:7',
    ],
  },
];

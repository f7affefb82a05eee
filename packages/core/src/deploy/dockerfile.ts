/**
 * Dockerfiles for those whose images are built by an engine of their own: one that copies what lies beside it, and one
 * that gets the model from its registry while the image is built. Both are plain texts to be reviewed and kept; the same
 * image gives the same text.
 */

import { checkImage, execForm, labelLines, runLines } from './dockerfile-words.ts';
import { IMAGE_PLACES } from './image-places.ts';
import type { ImageRun } from './image-plan.ts';

/** What a Dockerfile says. */
export interface DockerfileFacts {
  /** The base's name in a registry: `docker.io/library/python:3.11-slim`. */
  readonly base: string;
  /** Digest of the base, where it is known: it stands behind the name then. */
  readonly baseDigest?: string;
  /** What the folders hold programs for: `linux/amd64`. */
  readonly platform: string;
  /** Folders of the context, in the order of the image's layers: `environment`, `server`, `model`. */
  readonly folders: readonly string[];
  readonly run: ImageRun;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a Dockerfile gets from a registry. */
export interface Download {
  /** `churn:7`. */
  readonly reference: string;
  /** Address of the registry, without secrets. */
  readonly registry: string;
  /** Further words of the command that gets it: `--without-setup`. Default: none. */
  readonly words?: readonly string[];
  /** Whether the registry may be asked over http wherever it is. Default: false. */
  readonly allowHttp?: boolean;
}

/** The name that the secret of a build has: `docker build --secret id=ingot_token,env=INGOT_TOKEN …`. */
export const TOKEN_SECRET = 'ingot_token';

/** A file of variables, `AWS_SECRET_ACCESS_KEY=…`: `docker build --secret id=ingot_env,src=FILE …`. */
export const VARIABLES_SECRET = 'ingot_env';

/**
 * Writes the Dockerfile that copies the folders beside it.
 * @throws IngotError `usage` where the base is no image of a registry, or a text cannot be quoted.
 */
export function copyingDockerfile(facts: DockerfileFacts): string {
  return text([
    '# Written by `ingot bake --format dockerfile`. Build it where it lies:   docker build -t NAME .',
    '',
    `FROM ${baseOf(facts)}`,
    '',
    ...facts.folders.map((folder) => `COPY ${folder}/ /`),
    '',
    ...labelLines(facts.labels),
    ...runLines(facts.run),
  ]);
}

/** Secrets come from files that only this step sees; words that follow are arguments, which no shell reads. */
const WITH_SECRETS = [
  `if [ -f /run/secrets/${VARIABLES_SECRET} ]; then set -a; . /run/secrets/${VARIABLES_SECRET}; set +a; fi`,
  `if [ -f /run/secrets/${TOKEN_SECRET} ]; then INGOT_TOKEN="$(cat /run/secrets/${TOKEN_SECRET})"; export INGOT_TOKEN; fi`,
  'exec "$@"',
].join('; ');

/** Where the first stage puts what the second one copies. */
const BAKED = '/baked';

/**
 * Writes the Dockerfile that gets the model, and makes its environment, while the image is built. Of the folders only
 * those that belong to no model are copied. Secrets are mounted and lie in no layer.
 * @throws IngotError as {@link copyingDockerfile} does.
 */
export function downloadingDockerfile(facts: DockerfileFacts, download: Download): string {
  const { reference, registry, words: more = [], allowHttp = false } = download;
  const ingot = [`/${IMAGE_PLACES.programs}/ingot`, 'bake', reference, '--format', 'files', '--output', BAKED];
  const words = ['/bin/sh', '-c', WITH_SECRETS, 'sh', ...ingot, '--registry', registry, ...more];
  const isServer = /^https?:/i.test(registry);
  const secret = isServer ? `${TOKEN_SECRET},env=INGOT_TOKEN` : `${VARIABLES_SECRET},src=FILE`;
  const shared = facts.folders.filter((folder) => folder !== 'model' && folder !== 'environment');
  return text([
    `# Written by \`ingot bake --format dockerfile\`. Build it where it lies, with ${isServer ? 'a token that may read the model' : 'the variables that let in to the storage'}:`,
    `#   docker build -f Dockerfile.download --secret id=${secret} -t NAME .`,
    '',
    `FROM ${baseOf(facts)} AS model`,
    ...shared.map((folder) => `COPY ${folder}/ /`),
    'USER 0',
    `ENV INGOT_CACHE="/tmp/ingot"${allowHttp ? ' INGOT_ALLOW_HTTP="1"' : ''}`,
    `RUN --mount=type=secret,id=${isServer ? TOKEN_SECRET : VARIABLES_SECRET} ${execForm(words)}`,
    '',
    `FROM ${baseOf(facts)}`,
    '',
    ...shared.map((folder) => `COPY ${folder}/ /`),
    `COPY --from=model ${BAKED}/ /`,
    '',
    ...labelLines(facts.labels),
    ...runLines(facts.run),
  ]);
}

/** Everything but the folders stays outside the build. */
export function dockerignore(folders: readonly string[]): string {
  return text(['*', ...folders.map((folder) => `!${folder}/`)]);
}

/** The platform is named, as elsewhere a build takes its machine's, where programs of another one do not run. */
function baseOf({ base, baseDigest, platform }: DockerfileFacts): string {
  const image = checkImage(baseDigest === undefined || base.includes('@') ? base : `${base}@${baseDigest}`);
  return `--platform=${platform} ${image}`;
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

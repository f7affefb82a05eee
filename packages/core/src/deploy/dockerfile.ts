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
}

/** The name that the secret of a build has: `docker build --secret id=ingot_token,env=INGOT_TOKEN …`. */
export const TOKEN_SECRET = 'ingot_token';

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

/** The token comes from a file that only this step sees; words that follow are arguments, which no shell reads. */
const WITH_TOKEN = `if [ -f /run/secrets/${TOKEN_SECRET} ]; then INGOT_TOKEN="$(cat /run/secrets/${TOKEN_SECRET})"; export INGOT_TOKEN; fi; exec "$@"`;

/** Where the first stage puts what the second one copies. */
const BAKED = '/baked';

/**
 * Writes the Dockerfile that gets the model, and makes its environment, while the image is built. Of the folders only
 * those that belong to no model are copied. The token is mounted as a secret and lies in no layer.
 * @throws IngotError as {@link copyingDockerfile} does.
 */
export function downloadingDockerfile(facts: DockerfileFacts, { reference, registry }: Download): string {
  const ingot = [`/${IMAGE_PLACES.programs}/ingot`, 'bake', reference, '--format', 'files', '--output', BAKED];
  const words = ['/bin/sh', '-c', WITH_TOKEN, 'sh', ...ingot, '--registry', registry];
  const shared = facts.folders.filter((folder) => folder !== 'model' && folder !== 'environment');
  return text([
    '# Written by `ingot bake --format dockerfile`. Build it where it lies, with a token that may read the model:',
    `#   docker build -f Dockerfile.download --secret id=${TOKEN_SECRET},env=INGOT_TOKEN -t NAME .`,
    '',
    `FROM ${baseOf(facts)} AS model`,
    ...shared.map((folder) => `COPY ${folder}/ /`),
    'ENV INGOT_CACHE="/tmp/ingot"',
    `RUN --mount=type=secret,id=${TOKEN_SECRET} ${execForm(words)}`,
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

function baseOf({ base, baseDigest }: DockerfileFacts): string {
  return checkImage(baseDigest === undefined || base.includes('@') ? base : `${base}@${baseDigest}`);
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

import { resolve } from 'node:path';
import { renderCompose } from '@ingot/core/deploy/compose';
import type { Deployment, RenderedFile } from '@ingot/core/deploy/deployment';
import { credentialsName } from '@ingot/core/deploy/deployment';
import { renderKserve } from '@ingot/core/deploy/kserve';
import { renderKubernetes } from '@ingot/core/deploy/kubernetes';
import { INITIALIZER_SECRET } from '@ingot/core/deploy/storage-container';
import { renderSystemd } from '@ingot/core/deploy/systemd';
import type { Context, Result, Run } from '../context.ts';
import { type DeployedModel, deployedModel } from '../deploy/deployed-model.ts';
import { type DeployTarget, readDeployment } from '../deploy/read-deployment.ts';
import { leftBehind, type Written, writeRendered } from '../deploy/write-rendered.ts';
import { shellWord } from '../output/shell-word.ts';

/** `ingot deploy TARGET SOURCE`: writes what an engine needs to run model servers; nothing is applied. */
export function deployTo(target: DeployTarget): Run {
  return async (context) => {
    const { arguments: given, cwd } = context;
    const model = await deployedModel(given.argument(0), context);
    const deployment = await readDeployment(target, model, context);
    const files = RENDERERS[target](deployment, context);
    const output = given.text('output');
    const directory = output === undefined ? undefined : resolve(cwd, output);
    const written = directory === undefined ? undefined : await writeRendered(files, directory);
    const left = directory === undefined || target === 'systemd' ? [] : await leftBehind(files, directory);
    return told({ target, model, deployment, files, directory, written, left }, context);
  };
}

const RENDERERS: Readonly<Record<DeployTarget, (deployment: Deployment, context: Context) => readonly RenderedFile[]>> =
  {
    kubernetes: renderKubernetes,
    kserve: renderKserve,
    compose: (deployment, { arguments: given }) =>
      renderCompose(deployment, { withRegistry: given.isOn('with-registry') }),
    systemd: (deployment, { arguments: given }) => {
      const program = given.text('program');
      return renderSystemd(deployment, program === undefined ? {} : { program });
    },
  };

interface Rendered {
  readonly target: DeployTarget;
  readonly model: DeployedModel;
  readonly deployment: Deployment;
  readonly files: readonly RenderedFile[];
  readonly directory: string | undefined;
  readonly written: ReadonlyMap<string, Written> | undefined;
  /** Files of an earlier run that are no part of this one. */
  readonly left: readonly string[];
}

function told(rendered: Rendered, context: Context): Result {
  const { target, model, deployment, files, directory, written, left } = rendered;
  const { colors } = context.terminal.out;
  return {
    json: {
      target,
      name: deployment.name,
      namespace: deployment.namespace ?? null,
      model: model.name,
      source: model.source,
      version: model.version ?? null,
      digest: model.digest ?? null,
      delivery: deployment.delivery.kind,
      image: deployment.image === '' ? null : deployment.image,
      directory: directory ?? null,
      files: files.map(({ path, text }) => ({ path, text, written: written?.get(path) ?? null })),
      left,
    },
    quiet: files.map(({ path }) => (directory === undefined ? path : resolve(directory, path))),
    human: () => {
      if (directory === undefined || written === undefined) return streamOf(files);
      const lines = files.map(({ path }) => `  ${path}  ${colors.dim(written.get(path) ?? '')}\n`);
      return `${colors.bold(deployment.name)} in ${directory}\n${lines.join('')}`;
    },
    notes: notesOn(rendered, context.arguments.text('program') ?? ''),
  };
}

/** What can be piped into `kubectl apply -f -`; one file is itself. */
function streamOf(files: readonly RenderedFile[]): string {
  const own = files.filter(({ path }) => path !== 'kustomization.yaml');
  return own.map(({ text }) => text).join('---\n');
}

function notesOn({ target, model, deployment, directory, left }: Rendered, program: string): string[] {
  const { name, namespace, delivery, image } = deployment;
  const isPinned = image === '' || image.includes('@');
  return [
    ...(name === model.name ? [] : [`${model.name} is called ${name} there`]),
    ...(model.unknownBecause === undefined
      ? []
      : [`which version it is, is not in the files, as the registry could not be asked: ${model.unknownBecause}`]),
    ...(isPinned ? [] : [`${image} is named by a tag, which somebody may move: name it by its digest (…@sha256:…)`]),
    ...(delivery.kind === 'download' ? secretNote(target, name, namespace) : []),
    ...(target === 'systemd' ? hiddenNotes(deployment, program) : []),
    ...(directory === undefined ? [] : left.map((path) => leftNote(path, directory))),
    ...(directory === undefined ? [] : nextStep(target, name, directory)),
  ];
}

function secretNote(target: DeployTarget, name: string, namespace: string | undefined): string[] {
  const into = namespace === undefined ? '' : ` -n ${namespace}`;
  const credentials = credentialsName({ name });
  const written: Readonly<Record<DeployTarget, string>> = {
    kubernetes: `kubectl create secret generic ${credentials}${into} --from-env-file=FILE`,
    kserve: `kubectl create secret generic ${INITIALIZER_SECRET}${into} --from-env-file=FILE`,
    compose: `a file ${credentials}.env beside compose.yaml, which only you may read`,
    systemd: `/etc/ingot/${name}.env, which only root may read`,
  };
  return [`what lets the servers in to the registry (INGOT_TOKEN=…, AWS_SECRET_ACCESS_KEY=…): ${written[target]}`];
}

/** Homes and temporary files of others are not there for a unit. */
const HIDDEN = /^\/(?:home|root|run\/user|tmp|var\/tmp)(?:\/|$)/;

function hiddenNotes({ delivery }: Deployment, program: string): string[] {
  const paths = [program, ...(delivery.kind === 'download' ? [delivery.registry] : [])];
  const hidden = paths.filter((path) => HIDDEN.test(path));
  return hidden.map((path) => `${path} is hidden from the unit, as homes and /tmp are: put it elsewhere, as in /srv`);
}

/** Nothing that is applied takes away what an earlier run has made. */
function leftNote(path: string, directory: string): string {
  const where = shellWord(resolve(directory, path));
  return `${path} is of an earlier run and no part of this one: kubectl delete -f ${where}, and remove the file`;
}

function nextStep(target: DeployTarget, name: string, directory: string): string[] {
  const where = shellWord(directory);
  const steps: Readonly<Record<DeployTarget, string>> = {
    kubernetes: `kubectl apply -k ${where}`,
    kserve: `kubectl apply -k ${where}   (once for the cluster: kubectl apply -f ${where}/clusterstoragecontainer.yaml)`,
    compose: `docker compose --project-directory ${where} up -d`,
    systemd: `systemctl daemon-reload && systemctl enable --now ingot-${name}`,
  };
  return [`next: ${steps[target]}`];
}

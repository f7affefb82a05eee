import type { JsonObject } from '../json.ts';
import type { Deployment } from './deployment.ts';

/** What selects the pods of a deployment; it never changes, as Kubernetes does not let it. */
export function selectorOf({ name }: Pick<Deployment, 'name'>): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': 'ingot-serve', 'app.kubernetes.io/instance': name };
}

/** Labels of every object. Models and versions are no labels: they may be longer than a label, and may move. */
export function labelsOf(deployment: Pick<Deployment, 'name'>): Readonly<Record<string, string>> {
  return {
    ...selectorOf(deployment),
    'app.kubernetes.io/component': 'model-server',
    'app.kubernetes.io/part-of': 'ingot',
    'app.kubernetes.io/managed-by': 'ingot-deploy',
  };
}

/** What is told of the model on the workload and its pods. A version stands there only where it cannot move. */
export function annotationsOf(
  deployment: Pick<Deployment, 'model' | 'source' | 'version' | 'digest'>,
): Readonly<Record<string, string>> {
  const { model, source, version, digest } = deployment;
  return {
    'ingot.dev/model': model,
    'ingot.dev/source': source,
    ...(version !== undefined && { 'ingot.dev/version': version }),
    ...(digest !== undefined && { 'ingot.dev/digest': digest }),
  };
}

/** The metadata of an object. */
export function metadataOf(deployment: Deployment, options: { readonly name?: string } = {}): JsonObject {
  const { name, namespace } = deployment;
  return {
    name: options.name ?? name,
    ...(namespace !== undefined && { namespace }),
    labels: labelsOf(deployment),
    annotations: annotationsOf(deployment),
  };
}

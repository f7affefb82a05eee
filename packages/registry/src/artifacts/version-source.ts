import { IngotError, isIngotError } from '@ingot/core/errors';
import { ArtifactPath } from './artifact-path.ts';

/** What the `source` of an MLflow model version names. */
export type VersionSource =
  | { readonly kind: 'logged-model'; readonly id: string }
  | { readonly kind: 'run'; readonly id: string; readonly path: string }
  | { readonly kind: 'tree'; readonly path: ArtifactPath }
  | { readonly kind: 'version'; readonly name: string; readonly version: string }
  | { readonly kind: 'elsewhere'; readonly address: string };

/**
 * Takes a source apart. What it names is not looked at.
 * @throws IngotError `invalid-request` for a path that climbs.
 */
export function parseVersionSource(source: string): VersionSource {
  const [, model] = /^models:\/+(m-[0-9a-f]{32})\/?$/.exec(source) ?? [];
  if (model !== undefined) return { kind: 'logged-model', id: model };
  const [, name, version] = /^models:\/+([^/@]+)\/(\d+)\/?$/.exec(source) ?? [];
  if (name !== undefined && version !== undefined) return { kind: 'version', name: decoded(name), version };
  const [, run, below = ''] = /^runs:\/+([^/]+)(?:\/(.*))?$/s.exec(source) ?? [];
  if (run !== undefined) return { kind: 'run', id: run, path: below.replace(/\/+$/, '') };
  const path = treePathOf(source);
  return path === undefined ? { kind: 'elsewhere', address: source } : { kind: 'tree', path };
}

/**
 * The path that an address of this server's artifacts names; undefined for an address elsewhere.
 * @throws IngotError `invalid-request` for a path that climbs.
 */
export function treePathOf(address: string): ArtifactPath | undefined {
  const [, path] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.+)$/s.exec(address) ?? [];
  return path === undefined ? undefined : ArtifactPath.parse(path);
}

/** As {@link treePathOf}, where nothing but a path of the tree will do. Throws `invalid-request`. */
export function requireTreePath(address: string): ArtifactPath {
  const path = treePathOf(address);
  if (path !== undefined) return path;
  throw new IngotError('invalid-request', `the artifacts of ${address} are not kept by this server`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (isIngotError(error)) throw error;
    // A lone percent sign stands for itself.
    return text;
  }
}

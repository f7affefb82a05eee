import type { ModelName } from '@ingot/core/ref';
import type { VersionDraft } from '@ingot/core/registry/registry';
import type { Identity } from '../../access/identity.ts';
import type { Services } from '../../services.ts';
import type { MlflowVersion } from './registry-rows.ts';
import type { TransferAbilities } from './server-info.ts';

/** What the API needs of whoever keeps artifacts. */
export interface MlflowArtifacts {
  readonly abilities: TransferAbilities;
  /** Makes the package of what a source names; what lies elsewhere becomes one that says where. */
  packageOf(source: string): Promise<VersionDraft>;
  /** Makes the package of a logged model whose files are there. */
  loggedModelReady(id: string): Promise<void>;
  /** Address of a version's files: `mlflow-artifacts:/versions/<model id>/<number>`. */
  addressOf(version: { readonly modelId: string; readonly number: number }): string;
}

/** Options of a write to the registry: who does it. */
export function byWhom(identity: Identity): { readonly actor: string } {
  return { actor: identity.name };
}

/** Which version is meant by its number. */
export function numbered(name: ModelName, number: number) {
  return { name, selector: { kind: 'version', number } } as const;
}

/** Keeps of found rows those that somebody may read; who may read the server may read all of them. */
export function readable<Row>(
  { authorizer }: Pick<Services, 'authorizer'>,
  identity: Identity,
  nameOf: (row: Row) => ModelName,
): (row: Row) => boolean {
  if (authorizer.may(identity, 'read', { kind: 'server' })) return () => true;
  return (row) => authorizer.may(identity, 'read', { kind: 'model', model: nameOf(row) });
}

/** Where a version's files are, for one that was made by other means than MLflow. */
export type AddressOf = (version: Pick<MlflowVersion, 'modelId' | 'number'>) => string;

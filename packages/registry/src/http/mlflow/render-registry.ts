import { list } from './render-tracking.ts';
import type { MlflowModel, MlflowVersion } from './registry-rows.ts';

/** A version as clients of MLflow read it; `address` says where one is that was not made by way of MLflow. */
export function versionJson(version: MlflowVersion, address: (version: MlflowVersion) => string): object {
  const { name, number, createdMs, updatedMs, stage, description, runId, tags, aliases } = version;
  return {
    name,
    version: String(number),
    creation_timestamp: createdMs,
    last_updated_timestamp: updatedMs,
    current_stage: stage ?? 'None',
    description: description ?? '',
    source: version.source ?? address(version),
    run_id: runId ?? '',
    status: 'READY',
    tags: list(tags),
    run_link: version.runLink ?? '',
    aliases: list(aliases),
    model_id: version.loggedModelId,
  };
}

/** A model as clients of MLflow read it. */
export function modelJson(model: MlflowModel, address: (version: MlflowVersion) => string): object {
  const { name, createdMs, updatedMs, description, latest, tags, aliases } = model;
  return {
    name,
    creation_timestamp: createdMs,
    last_updated_timestamp: updatedMs,
    description: description ?? undefined,
    latest_versions: list(latest.map((version) => versionJson(version, address))),
    tags: list(tags),
    aliases: list(aliases.map(({ alias, number }) => ({ alias, version: String(number) }))),
  };
}

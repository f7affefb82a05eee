import { list } from './render-tracking.ts';
import type { AddressOf } from './registry-context.ts';
import type { MlflowModel, MlflowVersion, VersionFacts } from './registry-rows.ts';

/** A version as clients of MLflow read it; `address` says where one is that was not made by way of MLflow. */
export function versionJson(version: MlflowVersion, address: AddressOf): object {
  const { name, aliases } = version;
  return { name, ...factsJson(version, address), aliases: list(aliases) };
}

/** The same as text, without its beginning, which {@link versionText} writes, and its end. */
export function factsText(facts: VersionFacts, address: AddressOf): string {
  return JSON.stringify(factsJson(facts, address)).slice(1, -1);
}

/** The text of {@link versionJson}, from the name as JSON, what {@link factsText} gives, and the aliases. */
export function versionText(name: string, facts: string, aliases: readonly string[] | undefined): string {
  if (aliases === undefined) return `{"name":${name},${facts}}`;
  return `{"name":${name},${facts},"aliases":${JSON.stringify(aliases)}}`;
}

function factsJson(version: VersionFacts, address: AddressOf): object {
  const { number, createdMs, updatedMs, stage, description, runId, tags } = version;
  return {
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
    model_id: version.loggedModelId,
  };
}

/** A model as clients of MLflow read it. */
export function modelJson(model: MlflowModel, address: AddressOf): object {
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

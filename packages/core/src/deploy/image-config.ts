/** What an image says of how it runs, and of its layers. Source: image-spec, config.md. */

import type { OciDigest, Platform } from '../oci/oci-place.ts';
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import type { BaseConfig } from './base-image.ts';
import type { ImageRun } from './image-plan.ts';

/** A layer as the config lists it. */
export interface ConfigLayer {
  readonly diffId: OciDigest;
  readonly createdBy: string;
}

/** What {@link writeConfig} writes. */
export interface ConfigDraft {
  readonly platform: Platform;
  /** The config of the base, as its JSON says. */
  readonly base?: JsonObject;
  readonly baseDiffIds: readonly OciDigest[];
  readonly layers: readonly ConfigLayer[];
  readonly run: ImageRun;
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
}

/** Writes a config: canonical JSON, so that equal drafts give equal bytes. */
export function writeConfig(draft: ConfigDraft): Uint8Array {
  const { platform, base = {}, baseDiffIds, layers, created } = draft;
  const before = Array.isArray(base.history) ? base.history : [];
  const history: JsonValue[] = [
    ...(before.length > 0 ? before : baseDiffIds.map((): JsonValue => ({ created, created_by: 'base' }))),
    ...layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
  ];
  return Buffer.from(
    canonicalJson({
      ...kept(base, ['os.version', 'os.features', 'author']),
      created,
      os: platform.os,
      architecture: platform.architecture,
      variant: platform.variant,
      config: runConfig(draft),
      rootfs: { type: 'layers', diff_ids: [...baseDiffIds, ...layers.map(({ diffId }) => diffId)] },
      history,
    }),
  );
}

const KEPT = ['WorkingDir', 'User', 'StopSignal', 'Healthcheck', 'ExposedPorts', 'Volumes', 'Shell'];

function runConfig({ base = {}, run, labels }: ConfigDraft): JsonObject {
  const before = isJsonObject(base.config) ? base.config : {};
  const { entrypoint, cmd, workingDir, user, stopSignal, healthcheck } = run;
  const env = mergeEnv(textsOf(before.Env), run.env ?? {});
  return {
    ...kept(before, KEPT),
    // Another entry point makes nothing of the base's arguments.
    ...(entrypoint === undefined ? kept(before, ['Entrypoint', 'Cmd']) : { Entrypoint: entrypoint }),
    ...(env.length === 0 ? {} : { Env: env }),
    ...(cmd === undefined ? {} : { Cmd: cmd }),
    ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
    ...(user === undefined ? {} : { User: user }),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(run.exposedPorts === undefined ? {} : { ExposedPorts: setOf(before.ExposedPorts, run.exposedPorts) }),
    ...(run.volumes === undefined ? {} : { Volumes: setOf(before.Volumes, run.volumes) }),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheckOf(healthcheck) }),
    Labels: { ...(isJsonObject(before.Labels) ? before.Labels : {}), ...labels },
  };
}

/** Docker's own field; its times are in nanoseconds. Source: docker image spec v1.2. */
function healthcheckOf({
  test,
  intervalMs,
  timeoutMs,
  startPeriodMs,
  retries,
}: NonNullable<ImageRun['healthcheck']>): JsonObject {
  const ns = (ms: number): number => ms * 1_000_000;
  return {
    Test: test,
    Interval: ns(intervalMs),
    Timeout: ns(timeoutMs),
    StartPeriod: ns(startPeriodMs),
    Retries: retries,
  };
}

function mergeEnv(before: readonly string[], added: Readonly<Record<string, string>>): string[] {
  const keptOf = before.filter((line) => !Object.hasOwn(added, line.slice(0, line.indexOf('='))));
  return [
    ...keptOf,
    ...Object.keys(added)
      .sort()
      .map((name) => `${name}=${added[name]}`),
  ];
}

function setOf(before: JsonValue | undefined, added: readonly string[]): JsonObject {
  const names = [...(before !== undefined && isJsonObject(before) ? Object.keys(before) : []), ...added];
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function kept(from: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined || from[key] === null ? [] : [[key, from[key]]])),
  );
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

/** What a base's config says that a plan may want to know. */
export function baseConfigOf(config: JsonObject): BaseConfig {
  const run = isJsonObject(config.config) ? config.config : {};
  const { User: user, WorkingDir: workingDir, Labels: labels } = run;
  return {
    env: textsOf(run.Env),
    labels: isJsonObject(labels)
      ? Object.fromEntries(
          Object.entries(labels).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
        )
      : {},
    ...(typeof user === 'string' && user !== '' ? { user } : {}),
    ...(typeof workingDir === 'string' && workingDir !== '' ? { workingDir } : {}),
  };
}

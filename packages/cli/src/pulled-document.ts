import type { PullResult } from '@ingot/core/pull';
import { describePackage } from './describe-version.ts';

/** The `--json` document of a pull. */
export function pulledDocument({
  ref,
  resolved,
  path,
  files,
  description,
  captured,
}: PullResult): Readonly<Record<string, unknown>> {
  return {
    ref,
    model: resolved.model,
    modelId: resolved.modelId,
    version: resolved.number,
    label: resolved.label ?? null,
    digest: resolved.manifest,
    path,
    files,
    package: describePackage(description),
    captured: captured ?? null,
    staleSince: resolved.staleSince ?? null,
  };
}

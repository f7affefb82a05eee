import type { Capture, EnvironmentSummary } from './capture.ts';
import { digestOf } from './digest.ts';
import { captureBytes } from './package/captured.ts';
import type { PackagePlan } from './package/package.ts';
import type { PushOptions } from './push.ts';
import type { VersionDraft } from './registry/registry.ts';

/** What a push adds to what its package says of itself. */
export type DraftAdditions = Pick<PushOptions, 'captured' | 'tags' | 'metrics' | 'message'>;

/** Says of a package what the event of its version will say. */
export function draftVersion(
  plan: PackagePlan,
  { captured, tags, metrics, message }: DraftAdditions,
): Omit<VersionDraft, 'recipe'> {
  const environment = environmentOf(plan, captured);
  return present({
    manifest: plan.manifestDigest,
    sizeBytes: plan.sizeBytes,
    fileCount: plan.files.length,
    flavor: plan.flavor,
    label: plan.label,
    labelFrom: plan.labelFrom,
    description: plan.metadata?.description,
    author: plan.metadata?.author ?? captured?.author,
    message,
    signature: plan.signature,
    metrics: merged(captured?.metrics, metrics),
    params: merged(plan.metadata?.hyperparameters, captured?.params),
    tags: merged(captured?.tags, tags),
    lineage: captured?.lineage,
    environment,
    serializer: captured?.serializer ?? { name: serializerOf(plan), executesCode: plan.executesCode },
    captured: captured === undefined ? undefined : digestOf(captureBytes(captured)),
    scan: 'not scanned',
  });
}

/** What an event says of the environment; the lock would make it long and stays in the captured document. */
function environmentOf(plan: PackagePlan, captured: Capture | undefined): EnvironmentSummary {
  const { python = plan.pythonVersion, platform, requirements = [] } = captured?.environment ?? {};
  return present({ python, platform, requirements: requirements.length > 0 ? requirements : plan.requirements });
}

function serializerOf({ artifactPath, flavor }: PackagePlan): string {
  const extension = /\.([A-Za-z0-9]+)$/.exec(artifactPath ?? '')?.[1]?.toLowerCase();
  return extension === undefined ? flavor : extension === 'pkl' ? 'pickle' : extension;
}

/** Two records as one, the second winning; undefined when both are empty. */
export function merged<T>(
  first: Readonly<Record<string, T>> | undefined,
  second: Readonly<Record<string, T>> | undefined,
): Readonly<Record<string, T>> | undefined {
  const both = { ...first, ...second };
  return Object.keys(both).length === 0 ? undefined : both;
}

/** Without the keys that have no value, so that events and equality see none. */
function present<T extends object>(value: T): T {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries) as T;
}

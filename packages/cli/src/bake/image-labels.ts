import { toolVersion } from '../tool-version.ts';
import type { ModelToBake } from './model-to-bake.ts';

const OCI = 'org.opencontainers.image';

/**
 * Gives the labels of an image: what it serves and where its sources lie. Nothing in them says on which machine or from
 * which store it was baked. Of several models they name each with its digest. Source: image-spec, annotations.md.
 */
export function imageLabels(models: readonly ModelToBake[]): Readonly<Record<string, string>> {
  const engine = { 'dev.ingot.engine': toolVersion() };
  const [only, ...others] = models;
  if (only === undefined) return { [`${OCI}.title`]: 'ingot', [`${OCI}.version`]: toolVersion(), ...engine };
  if (others.length === 0) return { ...labelsOf(only), ...engine };
  return {
    [`${OCI}.title`]: models.map(({ version }) => version.model).join(', '),
    'dev.ingot.models': models.map(({ called, version }) => `${called}@${version.digest}`).join(' '),
    ...engine,
  };
}

function labelsOf({ version, cached }: ModelToBake): Readonly<Record<string, string>> {
  const { description, captured } = cached;
  const git = captured?.lineage?.git;
  const said: Readonly<Record<string, string | undefined>> = {
    [`${OCI}.title`]: version.model,
    [`${OCI}.version`]: version.label ?? version.version ?? String(version.number),
    [`${OCI}.description`]: description.description,
    [`${OCI}.revision`]: git?.commit,
    [`${OCI}.source`]: git?.remote === undefined ? undefined : withoutSecrets(git.remote),
    'dev.ingot.model': version.model,
    'dev.ingot.version': version.version ?? String(version.number),
    'dev.ingot.manifest': version.digest,
  };
  return Object.fromEntries(Object.entries(said).flatMap(([name, text]) => (text ? [[name, text]] : [])));
}

/** A remote may hold the password it was cloned with. */
function withoutSecrets(remote: string): string {
  return remote.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

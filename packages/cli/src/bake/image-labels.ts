import { toolVersion } from '../tool-version.ts';
import type { ModelToBake } from './model-to-bake.ts';

const OCI = 'org.opencontainers.image';

/**
 * Gives the labels of an image: what it serves and where its sources lie. Nothing in them says on which machine or from
 * which store it was baked. Source: image-spec, annotations.md.
 */
export function imageLabels(model: ModelToBake | undefined): Readonly<Record<string, string>> {
  const engine = { 'dev.ingot.engine': toolVersion() };
  if (model === undefined) return { [`${OCI}.title`]: 'ingot', [`${OCI}.version`]: toolVersion(), ...engine };
  const { version, cached } = model;
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
    ...engine,
  };
  return Object.fromEntries(Object.entries(said).flatMap(([name, text]) => (text ? [[name, text]] : [])));
}

/** A remote may hold the password it was cloned with. */
function withoutSecrets(remote: string): string {
  return remote.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

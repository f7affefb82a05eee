import { dockerCredential } from '@ingot/core/oci/docker-config';
import { RegistryPlace } from '@ingot/core/oci/registry-place';
import type { Context } from './context.ts';

/**
 * Opens a repository of a registry, with what Docker, Podman and their kin have kept for its host. Nothing is sent yet.
 * @throws IngotError `refused` for http with another machine where that was not allowed.
 */
export async function openRepository(
  { host, name }: { readonly host: string; readonly name: string },
  { settings }: Pick<Context, 'settings'>,
): Promise<RegistryPlace> {
  const { env } = settings;
  return new RegistryPlace(host, name, {
    env,
    credential: (asked, signal) => dockerCredential(asked, { env, signal }),
    insecure: settings.isOn('allow-http'),
  });
}

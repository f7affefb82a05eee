import { dockerCredential } from '@ingot/core/oci/docker-config';
import { originOf } from '@ingot/core/oci/registry-address';
import type { RegistryCredential } from '@ingot/core/oci/registry-auth';
import { RegistryPlace } from '@ingot/core/oci/registry-place';
import type { Context } from './context.ts';
import { credentialFor } from './credentials.ts';
import type { Settings } from './settings/settings.ts';

/** Who a token of an Ingot server is shown as. */
const TOKEN_USER = 'token';

/**
 * Opens a repository of a registry with what is known to be let in by its host. Nothing is sent yet. Over http only this
 * machine is asked, unless the setting `allow-http` says so.
 */
export async function openRepository(
  { host, name }: { readonly host: string; readonly name: string },
  { settings }: Pick<Context, 'settings'>,
): Promise<RegistryPlace> {
  return new RegistryPlace(host, name, {
    env: settings.env,
    credential: (asked, signal) => credentialOf({ host: asked, name }, settings, signal),
    insecure: settings.isOn('allow-http'),
  });
}

/**
 * What lets in to a host: `INGOT_OCI_USERNAME` and `INGOT_OCI_PASSWORD` (for all hosts, or that of `INGOT_OCI_HOST`), else
 * what `docker login` and its kin have kept, else what `ingot login` has.
 */
async function credentialOf(
  { host, name: repository }: { readonly host: string; readonly name: string },
  settings: Settings,
  signal: AbortSignal | undefined,
): Promise<RegistryCredential | undefined> {
  const { env } = settings;
  const { INGOT_OCI_USERNAME: username, INGOT_OCI_PASSWORD: password, INGOT_OCI_HOST: only } = env;
  const isMeant = only === undefined || only === '' || only === host;
  if (isMeant && username && password) return { username, password };
  return (await dockerCredential(host, { env, repository, signal })) ?? (await ownCredential(host, settings));
}

async function ownCredential(host: string, settings: Settings): Promise<RegistryCredential | undefined> {
  const origin = originOf(host, settings.isOn('allow-http'));
  const token = settings.env.INGOT_TOKEN;
  const named = settings.value('registry');
  // A token in the environment is for the server that the environment, or the user, names.
  const isServer =
    named?.project !== true && URL.canParse(named?.text ?? '') && new URL(named?.text ?? '').origin === origin;
  if (isServer && token) return { username: TOKEN_USER, password: token.trim() };
  const kept = await credentialFor(origin, settings.env);
  return kept && { username: TOKEN_USER, password: kept.token };
}

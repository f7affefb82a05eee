import { isLoopback } from '@ingot/core/blob/http/address';
import { IngotError } from '@ingot/core/errors';
import type { Settings } from './settings/settings.ts';

/**
 * Keeps `INGOT_TOKEN` from a server that a file of the working directory names: a package could have brought the file.
 * What `ingot login` keeps goes to its own server only.
 * @throws IngotError `refused`.
 */
export function refuseLentToken(settings: Settings): void {
  const named = settings.value('registry');
  const token = settings.env.INGOT_TOKEN;
  if (named === undefined || named.project !== true || token === undefined || token === '') return;
  throw new IngotError('refused', `INGOT_TOKEN would be sent to the server that ${named.origin} names`, {
    operation: 'open',
    hint: 'ingot login URL   (or INGOT_REGISTRY=URL in the environment, beside INGOT_TOKEN)',
  });
}

/**
 * Keeps tokens and passwords from the network where everybody can read along.
 * @throws IngotError `refused` for another machine without TLS, unless `INGOT_ALLOW_HTTP` allows it.
 */
export function refuseOpenLine(url: string, settings: Settings): void {
  const { protocol, hostname, origin } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname) || settings.isOn('allow-http')) return;
  throw new IngotError(
    'refused',
    `${origin} has no TLS: tokens and passwords would go over the network for all to read`,
    {
      operation: 'open',
      hint: 'https://…   (or INGOT_ALLOW_HTTP=1, where the network is your own)',
    },
  );
}

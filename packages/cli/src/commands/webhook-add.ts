import { randomBytes } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import { askSecret } from '../ask-secret.ts';
import type { Context, Result } from '../context.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot webhook add NAME URL`: has an address told what happens, and shows the secret of its signatures, once. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given } = context;
  const api = serverOfRegistry(context);
  const { secret, isNew } = await secretFor(context);
  const events = given.list('event');
  const models = given.list('model');
  const description = given.text('description');
  const body: JsonObject = {
    name: given.argument(0),
    url: given.argument(1),
    events: events.length === 0 ? ['*'] : [...events],
    ...(models.length > 0 && { models: [...models] }),
    ...(description !== undefined && { description }),
    ...(secret !== undefined && { secret }),
  };
  const webhook = await api.ask('/webhooks', { method: 'POST', body });
  return {
    json: { ...webhook, ...(isNew && { secret }) },
    quiet: [String(webhook.id), ...(isNew ? [secret] : [])],
    human: () =>
      `${context.terminal.out.colors.bold(plain(String(webhook.name)))} is told of ${body.events} from now on\n${isNew ? `${secret}\n` : ''}`,
    notes: [
      ...(isNew ? ['the secret is shown this once; it signs every delivery (docs/webhooks.md)'] : []),
      `ingot webhook test ${plain(String(webhook.name))}`,
    ],
  };
}

type Secret = { readonly isNew: true; readonly secret: string } | { readonly isNew: false; readonly secret?: string };

/** A new one, that of the person, or none. */
async function secretFor(context: Context): Promise<Secret> {
  const { arguments: given } = context;
  if (given.isOn('unsigned') && given.isOn('with-secret'))
    throw new IngotError('usage', '--unsigned and --with-secret contradict each other');
  if (given.isOn('unsigned')) return { isNew: false };
  if (given.isOn('with-secret')) return { isNew: false, secret: await askSecret(context, 'secret of the webhook') };
  return { isNew: true, secret: newSecret() };
}

/** Makes a secret that signs deliveries: 192 random bits. */
export function newSecret(): string {
  return `whsec_${randomBytes(24).toString('base64url')}`;
}

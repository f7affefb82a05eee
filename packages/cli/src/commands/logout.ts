import { isIngotError } from '@ingot/core/errors';
import type { Context, Result } from '../context.ts';
import { credentialFor, keepCredential, serverOrigin } from '../credentials.ts';
import { openServerApi } from '../server-api.ts';

/** `ingot logout URL`: ends the token that is kept for a server, and forgets it. */
export async function run(context: Context): Promise<Result> {
  const given = context.arguments.argument(0);
  const origin = serverOrigin(given === '' ? (context.settings.text('registry') ?? '') : given);
  const known = await credentialFor(origin, context.env);
  let ended = false;
  if (known !== undefined) {
    const authorization = `Bearer ${known.token}`;
    try {
      await openServerApi(origin, context).ask(`/tokens/${known.id}`, { method: 'DELETE', authorization });
      ended = true;
    } catch (error) {
      // Ended already, the last of its kind, or the server is gone: it is forgotten here all the same.
      if (!isIngotError(error, 'unauthenticated', 'not-found', 'unavailable', 'forbidden', 'conflict')) throw error;
    }
    await keepCredential(origin, undefined, context.env);
  }
  const said = known === undefined ? `nobody is signed in to ${origin}` : `signed out of ${origin}`;
  return {
    json: { url: origin, ended },
    quiet: [origin],
    human: () => `${said}\n`,
    notes: known !== undefined && !ended ? ['the server could not end the token; it is forgotten here'] : [],
  };
}

import type { Context, Result } from '../context.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot token revoke ID`: ends a token. */
export async function run(context: Context): Promise<Result> {
  const id = context.arguments.argument(0);
  const token = await serverOfRegistry(context).ask(`/tokens/${encodeURIComponent(id)}`, { method: 'DELETE' });
  return { json: token, quiet: [id], human: () => `ended the token ${id} (${String(token.name)})\n` };
}

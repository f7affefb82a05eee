import type { Context } from '../context.ts';

/** The `-m REASON` of a command, as the registry takes it. */
export function reasonOf(context: Context): { readonly reason?: string } {
  const reason = context.arguments.text('message');
  return reason === undefined ? {} : { reason };
}

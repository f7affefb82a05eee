import { IngotError } from '@ingot/core/errors';
import type { Context } from './context.ts';

/**
 * Gets a secret: typed where nobody sees it, or the first line of standard input. Never an argument, which others can see.
 * @throws IngotError `usage` when there is none.
 */
export async function askSecret(context: Context, question: string): Promise<string> {
  const typed = await context.secret(question);
  const text = typed ?? Buffer.from(await context.readStdin()).toString('utf8');
  const line = text.split(/\r?\n/)[0] ?? '';
  if (line === '')
    throw new IngotError('usage', `${question} was not given`, { hint: 'printf %s "$PASSWORD" | ingot …' });
  return line;
}

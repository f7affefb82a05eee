import { parseImageName } from '@ingot/core/deploy/image-name';
import type { Context } from '../context.ts';

/** An image's name as it goes into a file. */
export async function pinnedImage(text: string, flag: string, _context: Context): Promise<string> {
  return parseImageName(text, flag).text;
}

import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import { completionScript } from '../completion/scripts.ts';
import type { Context, Result } from '../context.ts';
import { SHELLS } from '../verbs/tool-verbs.ts';

/** `ingot completion SHELL`: prints a completion script. */
export async function run(context: Context): Promise<Result> {
  const asked = context.arguments.argument(0);
  const shell = SHELLS.find((name) => name === asked.toLowerCase());
  if (shell === undefined) {
    const meant = nearest(asked, SHELLS);
    throw new IngotError(
      'usage',
      `"${asked}" is not a shell that can be completed: ${SHELLS.join(', ')}`,
      meant === undefined ? {} : { nearest: meant },
    );
  }
  const script = completionScript(shell);
  return { json: { shell, script }, quiet: [script.trimEnd()], human: () => script };
}

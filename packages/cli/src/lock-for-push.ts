import { join } from 'node:path';
import type { Capture } from '@ingot/core/capture';
import type { PackageDraft } from '@ingot/core/package/read';
import { isHashed } from '@ingot/serve/environment/lock-lines';
import { resolveLock } from '@ingot/serve/environment/resolve-lock';
import { cacheRoot } from './address.ts';
import type { Context } from './context.ts';
import { startedFrom } from './package-environment.ts';

/**
 * Adds to what was captured the resolved lock of a package's requirements, with `--lock` only: the index is asked.
 * @throws IngotError `environment-failed`, `refused`, `interrupted`.
 */
export async function lockForPush(captured: Capture, draft: PackageDraft, context: Context): Promise<Capture> {
  const { settings, env, signal, progress } = context;
  const known = captured.environment;
  if (!context.arguments.isOn('lock') || isHashed(known?.lock ?? [])) return captured;
  const declared = draft.facts.requirements;
  const requirements = declared.length > 0 ? declared : (known?.requirements ?? []);
  const { interpreter, lines } = await resolveLock(requirements, {
    cacheDirectory: join(cacheRoot(settings), 'environments'),
    python: settings.text('python') ?? (env.PYTHON || undefined),
    startedFrom: startedFrom(env),
    wanted: draft.facts.pythonVersion ?? known?.python,
    environment: env,
    signal,
    onLine: (message) =>
      progress.onProgress({ phase: 'environment', path: 'lock', doneBytes: 0, totalBytes: 0, message }),
  });
  // The lock holds for this interpreter; what else the package says of its Python stays in its files.
  const { version: python, platform } = interpreter;
  return { ...captured, environment: { python, platform, requirements, lock: lines } };
}

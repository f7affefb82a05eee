import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { openBlobStore } from '@ingot/core/blob/open';
import { cacheRoot, storeAddress } from '../address.ts';
import type { Context, Result } from '../context.ts';
import type { Check } from '../doctor/check.ts';
import { failed, ok, warning } from '../doctor/check.ts';
import { checkCache, checkClock, checkPort } from '../doctor/check-machine.ts';
import { checkNode, checkOnnx, checkPython, checkUv } from '../doctor/check-programs.ts';
import { probeStore } from '../doctor/probe-store.ts';
import { toIngotError } from '../output/format-error.ts';
import { formatTable } from '../output/table.ts';
import { withheldFrom } from '../settings/lent-secrets.ts';
import { listSettings, listStorage } from '../settings/settings.ts';

/** `ingot doctor`: checks this machine and the store. What it prints holds no secrets. */
export async function run(context: Context): Promise<Result> {
  const { settings, env } = context;
  const checks = [
    checkNode(process.version),
    await checkPython(settings.text('python') ?? (env.PYTHON || undefined), env),
    await checkUv(env),
    checkOnnx(import.meta.url),
    ...checkConfig(context),
    await guarded('cache', () => checkCache(cacheRoot(settings))),
    ...(await checkStore(context)),
    await guarded('port', () => checkPort(settings.text('host') ?? '127.0.0.1', settings.number('port') ?? 8080)),
  ];
  const isOk = checks.every((check) => check.status !== 'failed');
  return {
    json: { ok: isOk, checks },
    quiet: checks.filter((check) => check.status === 'failed').map((check) => check.name),
    human: () => table(checks, context),
    exitCode: isOk ? 0 : 1,
  };
}

async function guarded(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (thrown) {
    const error = toIngotError(thrown);
    return failed(name, error.message, error.hint);
  }
}

function checkConfig(context: Context): Check[] {
  return listSettings(context.settings)
    .filter(({ origin }) => origin !== 'default' && origin !== 'not set')
    .map(({ key, value, origin }) => ok(`config ${key}`, `${value ?? ''} (${origin})`))
    .concat(
      listStorage(context.settings).map(({ name, value, origin }) => ok(`config ${name}`, `${value} (${origin})`)),
      withheldFrom(context.settings).map((message) => warning('config', message)),
    );
}

async function checkStore(context: Context): Promise<readonly Check[]> {
  try {
    const address = storeAddress(context.settings);
    if (address.directory !== undefined && !(await isThere(address.directory)))
      return [warning('store', `${address.directory} is not there yet`, 'the first push makes it: ingot push PATH')];
    const options = { id: randomBytes(16).toString('hex'), clock: () => performance.now(), signal: context.signal };
    const blobs = await openBlobStore(address.text, { env: context.settings.env });
    const { checks, storageTime } = await probeStore(blobs, options);
    return storageTime === undefined ? checks : [...checks, checkClock(storageTime, context.now())];
  } catch (thrown) {
    const error = toIngotError(thrown);
    return [failed('store', error.message, error.hint)];
  }
}

async function isThere(directory: string): Promise<boolean> {
  return stat(directory).then(
    () => true,
    () => false,
  );
}

function table(checks: readonly Check[], context: Context): string {
  const { out } = context.terminal;
  const marks = { ok: out.colors.green('ok'), warning: out.colors.yellow('warning'), failed: out.colors.red('FAILED') };
  const rows = checks.flatMap((check) => [
    [marks[check.status], out.colors.bold(check.name), check.message],
    ...(check.fix === undefined ? [] : [['', '', out.colors.dim(`→ ${check.fix}`)]]),
  ]);
  return formatTable([{ title: '' }, { title: '' }, { title: '' }], rows, {
    width: Number.POSITIVE_INFINITY,
    colors: out.colors,
    header: false,
  });
}

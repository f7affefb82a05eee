import { stat } from 'node:fs/promises';
import { schemeOf } from '@ingot/core/blob/address';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { openBlobStore } from '@ingot/core/blob/open';
import { openStore as openFormat } from '@ingot/core/content/store-format';
import type { IngotError } from '@ingot/core/errors';
import type { ProbeReport } from '@ingot/core/blob/probe';
import { probeStore } from '@ingot/core/blob/probe';
import { cacheRoot, rememberedDirectory, storeAddress } from '../address.ts';
import { assembleStore } from '../open.ts';
import { mayBeServer } from '../server-address.ts';
import type { Context, Result } from '../context.ts';
import type { Check } from '../doctor/check.ts';
import { failed, ok, warning } from '../doctor/check.ts';
import { checkCache, checkClock, checkPort, checkPulls } from '../doctor/check-machine.ts';
import { checkNode, checkOnnx, checkPython, checkUv } from '../doctor/check-programs.ts';
import { checkServer } from '../doctor/check-server.ts';
import { measureStore } from '../doctor/measure-store.ts';
import { probeOptions } from '../doctor/probe-before-publishing.ts';
import { distrust, trust } from '../doctor/trusted-stores.ts';
import { toIngotError } from '../output/format-error.ts';
import { formatTable } from '../output/table.ts';
import { withheldFrom } from '../settings/lent-secrets.ts';
import { openServerApi } from '../server-api.ts';
import { listSettings, listStorage } from '../settings/settings.ts';
import { concerns } from '../settings/storage-variables.ts';
import { toolVersion } from '../tool-version.ts';

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
    ...(await checkPulls(context.cwd, context.now)),
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
    return failedWith(name, toIngotError(thrown));
  }
}

function failedWith(name: string, { message, nearest, hint }: IngotError): Check {
  return failed(name, nearest === undefined ? message : `${message}; did you mean ${nearest} ?`, hint);
}

function checkConfig(context: Context): Check[] {
  const scheme = schemeOf(context.settings.value('registry')?.text ?? '');
  return listSettings(context.settings)
    .filter(({ origin }) => origin !== 'default' && origin !== 'not set')
    .map(({ key, value, origin }) => ok(`config ${key}`, `${value ?? ''} (${origin})`))
    .concat(
      listStorage(context.settings)
        .filter(({ name }) => scheme !== undefined && concerns(name, scheme))
        .map(({ name, value, origin }) => ok(`config ${name}`, `${value} (${origin})`)),
      withheldFrom(context.settings).map((message) => warning('config', message)),
    );
}

async function checkStore(context: Context): Promise<readonly Check[]> {
  const { settings, now, signal } = context;
  let blobs: BlobStore | undefined;
  try {
    const address = storeAddress(settings);
    if (address.directory !== undefined && !(await isThere(address.directory)))
      return [warning('store', `${address.directory} is not there yet`, 'the first push makes it: ingot push PATH')];
    if (mayBeServer(address)) {
      const checks = await serverChecks(context, address.text);
      if (checks !== undefined) return checks;
    }
    const open = (): Promise<BlobStore> => openBlobStore(address.text, { env: settings.env });
    const opened = await open();
    blobs = opened;
    if (opened.capabilities.readOnly) return [await checkReadOnly(opened, signal)];
    const options = probeOptions(signal, [await open()]);
    const from = now();
    const report = await probeStore(opened, { ...options, thorough: true });
    await rememberReport(rememberedDirectory(settings, address), report, now());
    const speed = ok('store', `${opened.address}: ${await measureStore(opened, options)}`);
    const clock = report.storageTime === undefined ? [] : [checkClock(report.storageTime, { from, to: now() })];
    return [...report.findings.map(({ check, ...finding }) => ({ name: check, ...finding })), speed, ...clock];
  } catch (thrown) {
    const error = toIngotError(thrown);
    if (error.code === 'interrupted') throw error;
    if (error.code === 'forbidden' && blobs !== undefined && (await isReadable(blobs, signal)))
      return [readOnly(blobs.address, error)];
    return [failedWith('store', error)];
  }
}

/** Undefined: no registry server is there, but perhaps a store. */
async function serverChecks(context: Context, url: string): Promise<readonly Check[] | undefined> {
  await using store = await assembleStore(context.settings, { now: context.now });
  if (store.isServer !== true) return undefined;
  const api = openServerApi(url, context);
  return checkServer(store, { api, release: toolVersion(), signal: context.signal });
}

async function checkReadOnly(blobs: BlobStore, signal: AbortSignal): Promise<Check> {
  await openFormat(blobs, { signal });
  return ok('store', `${blobs.address} can be read; nothing can be pushed there`);
}

/** Whether there is a store that can be read, as for those who only pull and serve. */
async function isReadable(blobs: BlobStore, signal: AbortSignal): Promise<boolean> {
  return openFormat(blobs, { signal }).then(
    () => true,
    () => false,
  );
}

function readOnly(address: string, { message }: IngotError): Check {
  const works = `${address} can be read: ls, pull and serve work; push, promote and gc do not`;
  return warning('store', works, `to push from here: ${message}`);
}

async function rememberReport(remembered: string, { findings }: ProbeReport, now: Date): Promise<void> {
  const isSound = findings.every(({ status }) => status !== 'failed');
  await (isSound ? trust(remembered, now) : distrust(remembered));
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

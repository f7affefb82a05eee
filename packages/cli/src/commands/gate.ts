import { redactAddress } from '@ingot/core/blob/address';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName, Reference } from '@ingot/core/ref';
import { parseAlias, parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { type DescribedVersion, describeVersion } from '../describe-version.ts';
import { compareVersions } from '../diff/compare-versions.ts';
import { failuresOf } from '../diff/failures.ts';
import { formatDifference } from '../diff/format-difference.ts';
import { type GateReport, gateMarkdown } from '../diff/gate-markdown.ts';
import type { OpenedStore } from '../open.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';
import { openEnds } from './promote-between.ts';

/**
 * `ingot gate REF [ALIAS]`: says whether a version may become what an alias names: what would change for callers, and
 * which conditions fail. Moves nothing; exit 6 when it may not.
 */
export async function run(context: Context): Promise<Result> {
  const { arguments: given } = context;
  const reference = parseReference(given.argument(0));
  const alias = parseAlias(given.argument(1) || 'production');
  await using ends = await openEnds(context, { writes: false });
  const after = await describeVersion(ends.from, reference, context);
  const before = await currentOf(after.version.model, alias, ends.to, context);
  const difference = before === undefined ? undefined : compareVersions(before, after);
  const conditions = await conditionsOf(after, alias, ends.to, ends.there);
  const fails = difference === undefined ? [] : failuresOf(difference, given.list('fail-on'));
  const report: GateReport = {
    model: after.version.model,
    number: after.version.number,
    digest: after.version.manifest,
    alias,
    registry: redactAddress(ends.to.address),
    ...(ends.from.address === ends.to.address ? {} : { source: redactAddress(ends.from.address) }),
    current: before?.version.number ?? null,
    ...conditions,
    fails,
    allowed: conditions.missing.length === 0 && fails.length === 0,
    difference,
  };
  return told(report, context);
}

/** What the alias names now; undefined where it names nothing yet. */
async function currentOf(
  name: ModelName,
  alias: string,
  store: OpenedStore,
  context: Context,
): Promise<DescribedVersion | undefined> {
  const reference: Reference = { name, selector: { kind: 'alias', alias } };
  try {
    return await describeVersion(store, reference, context);
  } catch (error) {
    if (isIngotError(error, 'alias-not-found', 'model-not-found', 'version-not-found')) return undefined;
    throw error;
  }
}

/** Conditions are a server's, and bind to a version that is there. */
async function conditionsOf(
  { version: { model, manifest } }: DescribedVersion,
  alias: string,
  store: OpenedStore,
  there: Context,
): Promise<Pick<GateReport, 'missing' | 'checked'>> {
  if (store.isServer !== true) return { missing: [], checked: true };
  const number = await numberThere(model, manifest, store, there);
  if (number === undefined) return { missing: [], checked: false };
  const path = `/models/${encodeURIComponent(model)}/versions/${number}/check?alias=${encodeURIComponent(alias)}`;
  const { missing } = await serverOfRegistry(there).ask(path);
  return { missing: Array.isArray(missing) ? missing.map((each) => plain(String(each))) : [], checked: true };
}

async function numberThere(
  name: ModelName,
  manifest: string,
  { registry }: OpenedStore,
  { signal }: Context,
): Promise<number | undefined> {
  try {
    const { all } = await registry.model(name, { signal });
    return all.find((version) => version.manifest === manifest && version.status === 'active')?.number;
  } catch (error) {
    if (isIngotError(error, 'model-not-found')) return undefined;
    throw error;
  }
}

function told(report: GateReport, context: Context): Result {
  const { model, number, alias, current, allowed, missing, fails, checked, difference, digest, registry } = report;
  const notes = checked
    ? []
    : [`the conditions of ${registry} are looked at when the version is there: ingot promote --from … --to …`];
  return {
    json: { model, number, digest, alias, current, allowed, missing, fails, checked, diff: difference ?? null },
    quiet: [...missing, ...fails],
    human: () => (context.arguments.isOn('markdown') ? gateMarkdown(report) : page(report, context)),
    notes,
    ...(allowed
      ? {}
      : {
          failure: new IngotError('refused', `${model}:${number} may not become ${model}@${alias}`, {
            operation: 'gate',
            details: { missing: [...missing], fails: [...fails] },
          }),
        }),
  };
}

function page(report: GateReport, { terminal: { out } }: Context): string {
  const { model, number, alias, current, allowed, missing, fails, difference, registry, source } = report;
  const { colors } = out;
  const mark = allowed ? colors.green('✓') : colors.red('✗');
  const there = `${current ?? 'none'}${source === undefined || current === null ? '' : ` of ${registry}`}`;
  const here = `${number}${source === undefined ? '' : ` of ${source}`}`;
  const head = `${mark} ${colors.bold(`${model}@${alias}`)}  ${plain(there)} → ${plain(here)}\n`;
  const reasons = [...missing, ...fails].map((text) => `  ${plain(text)}\n`).join('');
  if (difference === undefined) return head + reasons;
  return `${head}${reasons}\n${formatDifference(`${model}:${current}`, `${model}:${number}`, difference, out)}`;
}

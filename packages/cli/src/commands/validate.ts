import { resolve } from 'node:path';
import type { PackagePlan, Problem } from '@ingot/core/package/package';
import type { PackageCheck } from '@ingot/core/package/read';
import { openForeign } from '@ingot/core/package/foreign/open-foreign';
import { checkPackage, packageError } from '@ingot/core/package/read';
import type { Context, Result } from '../context.ts';
import { openCache } from '../open-cache.ts';
import { sourceDocument, sourceSection } from '../output/source-section.ts';
import { addressOfPackage, openSourceReader } from '../plain-sources.ts';
import { formatInferred, formatProblems } from '../output/problems.ts';
import { signatureOrigin, signatureTable } from '../output/signature-table.ts';
import { count, formatBytes } from '../output/units.ts';

/** `ingot validate PATH`: prints what would be stored and every problem; stores nothing. */
export async function run(context: Context): Promise<Result> {
  const path = context.arguments.argument(0);
  const name = context.arguments.text('name');
  const naming = name === undefined ? {} : { name };
  const address = addressOfPackage(path, context.cwd);
  if (address !== undefined) return await validateAddress(address, naming, context);
  await using foreign = await openForeign(resolve(context.cwd, path), { signal: context.signal });
  const checked = await checkPackage(resolve(context.cwd, path), {
    ...(foreign && { foreign }),
    signal: context.signal,
    onProgress: context.progress.onProgress,
    ...naming,
  });
  return {
    json: document(checked),
    quiet: checked.plan === undefined ? [] : [checked.plan.name],
    human: () => page(checked, context),
    ...(checked.plan === undefined ? { failure: packageError(path, checked.problems) } : {}),
  };
}

/** What an address means is brought here for it, and is gone afterwards. */
async function validateAddress(address: string, naming: { readonly name?: string }, context: Context): Promise<Result> {
  await using cache = openCache(context.settings, context.now);
  const { cwd, now, progress, signal } = context;
  const reader = openSourceReader(context.settings, { cache, cwd, now, onProgress: progress.onProgress });
  await using found = await reader.check(address, naming, { signal });
  const { check, match } = found;
  return {
    json: { ...document(check), source: sourceDocument(match) },
    quiet: check.plan === undefined ? [] : [check.plan.name],
    human: () => sourceSection(match, context) + page(check, context),
    ...(check.plan === undefined ? { failure: packageError(match.location, check.problems) } : {}),
  };
}

function document({ plan, problems }: PackageCheck): Readonly<Record<string, unknown>> {
  return {
    ok: plan !== undefined,
    name: plan?.name ?? null,
    label: plan?.label ?? null,
    flavor: plan?.flavor ?? null,
    digest: plan?.manifestDigest ?? null,
    manifest: plan === undefined ? null : JSON.parse(new TextDecoder().decode(plan.manifest)),
    problems,
    inferred: plan?.inferred ?? [],
  };
}

function page({ plan, problems }: PackageCheck, context: Context): string {
  const { out } = context.terminal;
  const sections = plan === undefined ? [] : planSections(plan, context);
  const listed = formatProblems(problems, out);
  return [...sections, listed, summary(plan, problems, context)].filter((section) => section !== '').join('\n');
}

function planSections(plan: PackagePlan, context: Context): string[] {
  const { out } = context.terminal;
  const files = plan.files.map((file) => `  ${file.path}  ${formatBytes(file.sizeBytes)}\n`).join('');
  const title = (text: string): string => `${out.colors.dim(text)}\n`;
  return [
    `${out.colors.bold(plan.name)}  ${plan.flavor}  ${formatBytes(plan.sizeBytes)} in ${count(plan.files.length, 'file')}\n${plan.manifestDigest}\n`,
    title('FILES') + files,
    plan.signature === undefined
      ? ''
      : title(`SIGNATURE  ${signatureOrigin(plan.signature)}`) + signatureTable(plan.signature, out),
    formatInferred(plan.inferred, out),
  ];
}

function summary(plan: PackagePlan | undefined, problems: readonly Problem[], context: Context): string {
  const { colors } = context.terminal.out;
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const found = `${count(errors, 'error')}, ${count(problems.length - errors, 'warning')}`;
  return plan === undefined ? `${colors.red('not valid')}  ${found}\n` : `${colors.green('valid')}  ${found}\n`;
}

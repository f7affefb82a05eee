import { resolve } from 'node:path';
import type { PackagePlan, Problem } from '@ingot/core/package/package';
import type { PackageCheck } from '@ingot/core/package/read';
import { checkPackage, packageError } from '@ingot/core/package/read';
import type { Context, Result } from '../context.ts';
import { formatInferred, formatProblems } from '../output/problems.ts';
import { signatureOrigin, signatureTable } from '../output/signature-table.ts';
import { count, formatBytes } from '../output/units.ts';

/** `ingot validate PATH`: prints what would be stored and every problem; stores nothing. */
export async function run(context: Context): Promise<Result> {
  const path = context.arguments.argument(0);
  const name = context.arguments.text('name');
  const checked = await checkPackage(resolve(context.cwd, path), {
    signal: context.signal,
    onProgress: context.progress.onProgress,
    ...(name === undefined ? {} : { name }),
  });
  return {
    json: document(checked),
    quiet: checked.plan === undefined ? [] : [checked.plan.name],
    human: () => page(checked, context),
    ...(checked.plan === undefined ? { failure: packageError(path, checked.problems) } : {}),
  };
}

function document({ plan, problems }: PackageCheck): unknown {
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

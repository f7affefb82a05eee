import type { JsonValue } from '@ingot/core/json';
import type { PackageDescription } from '@ingot/core/package/package';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Signature } from '@ingot/core/signature';
import type { Context } from '../context.ts';
import { signatureOrigin, signatureTable } from './signature-table.ts';
import { formatFacts, formatTable } from './table.ts';
import { plain } from './terminal.ts';
import { formatBytes, formatNumber } from './units.ts';

/** What is shown of a package below its facts, and may come from elsewhere than its files. */
export interface PackageSectionsOf {
  readonly signature: Signature | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, JsonValue>>;
  readonly requirements: readonly string[];
}

/** Writes signature, metrics, parameters, files, variables and requirements, each where there is one. */
export function packageSections(
  described: PackageDescription,
  { signature, metrics, params, requirements }: PackageSectionsOf,
  context: Context,
): string[] {
  const { out } = context.terminal;
  const numbers = Object.entries(metrics).map(([name, value]) => [plain(name), formatNumber(value)] as const);
  const values = Object.entries(params).map(([name, value]) => [plain(name), plain(textOf(value))] as const);
  const variables = described.environmentVariables.map(
    ({ name, description, default: value }) =>
      [
        plain(name),
        plain([value === undefined ? 'no default' : `default ${value}`, description].filter(Boolean).join('; ')),
      ] as const,
  );
  const sections = [
    signature === undefined
      ? ''
      : title(`SIGNATURE  ${signatureOrigin(signature)}`, context) + signatureTable(signature, out),
    numbers.length === 0 ? '' : list('METRICS', numbers, context),
    values.length === 0 ? '' : list('PARAMETERS', values, context),
    fileSection(described, context),
    variables.length === 0 ? '' : list('ENVIRONMENT VARIABLES', variables, context),
    requirements.length === 0
      ? ''
      : title('REQUIREMENTS', context) + requirements.map((line) => `${plain(line)}\n`).join(''),
  ];
  return sections.filter((section) => section !== '');
}

/** What nobody wrote down, one line each. */
export function inferredIn({ inferred }: PackageDescription): string | undefined {
  return optional(inferred.map(({ what, value, from }) => `${what}: ${value} (${from})`).join('\n'));
}

/** Says whether loading a package executes code, and which. */
export function loadingOf(
  described: PackageDescription,
  serializer: VersionRecord['serializer'],
  { terminal }: Context,
): string {
  return described.executesCode
    ? terminal.out.colors.yellow(`executes code: ${codeIn(described, serializer)}`)
    : 'executes no code of the package';
}

/** A text of somebody else's as a fact; undefined without one. */
export function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : text.split('\n').map(plain).join('\n');
}

function codeIn(described: PackageDescription, serializer: VersionRecord['serializer']): string {
  const reason = serializer?.executesCode === true ? serializer.reason : undefined;
  if (reason !== undefined) return plain(reason);
  const paths = described.files
    .map((file) => file.path)
    .filter((path) => path === described.interfacePath || /\.(?:pkl|pickle|joblib|pt|pth|ckpt)$/i.test(path));
  const named = paths.length === 0 ? (described.artifactPath ?? described.flavor) : paths.join(', ');
  return `${plain(named)}; load it only if you trust who made it`;
}

function fileSection(described: PackageDescription, context: Context): string {
  const { out } = context.terminal;
  const rows = described.files.map((file) => [
    plain(file.path),
    formatBytes(file.sizeBytes),
    file.digest.slice(0, 'sha256:'.length + 12),
  ]);
  const columns = [{ title: 'FILE' }, { title: 'SIZE', align: 'right' as const }, { title: 'DIGEST' }];
  return formatTable(columns, rows, {
    width: out.isTerminal ? out.columns : Number.POSITIVE_INFINITY,
    colors: out.colors,
  });
}

function list(name: string, rows: readonly (readonly [string, string])[], context: Context): string {
  return (
    title(name, context) +
    formatFacts(rows, { width: context.terminal.out.columns, colors: context.terminal.out.colors })
  );
}

function title(text: string, context: Context): string {
  return `${context.terminal.out.colors.dim(text)}\n`;
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

import type { Capture } from '@ingot/core/capture';
import type { JsonValue } from '@ingot/core/json';
import type { PackageDescription } from '@ingot/core/package/package';
import { parseReference } from '@ingot/core/ref';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { describeVersion } from '../describe-version.ts';
import { openStore } from '../open.ts';
import { signatureOrigin, signatureTable } from '../output/signature-table.ts';
import { formatFacts, formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { count, formatAge, formatBytes, formatNumber, formatTime } from '../output/units.ts';

/** `ingot show REF`: shows all that is known of a version. */
export async function run(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  await using store = await openStore(context);
  const shown = await describeVersion(store, reference, context);
  return {
    json: { version: shown.version, package: shown.package, captured: shown.captured },
    quiet: [`${shown.version.model}:${shown.version.number}`],
    human: () => page(shown, context),
  };
}

interface Shown {
  readonly version: VersionRecord;
  readonly package: PackageDescription;
  readonly captured: Capture | null;
}

function page(shown: Shown, context: Context): string {
  const { out } = context.terminal;
  const { version, package: described } = shown;
  const signature = version.signature ?? described.signature;
  const sections = [
    headline(shown, context),
    formatFacts(facts(shown, context), { width: out.columns, colors: out.colors }),
  ];
  if (signature !== undefined)
    sections.push(title(`SIGNATURE  ${signatureOrigin(signature)}`, context) + signatureTable(signature, out));
  const metrics = Object.entries(version.metrics ?? {}).map(
    ([name, value]) => [plain(name), formatNumber(value)] as const,
  );
  if (metrics.length > 0) sections.push(list('METRICS', metrics, context));
  const params = Object.entries({ ...described.metadata?.hyperparameters, ...version.params });
  if (params.length > 0)
    sections.push(
      list(
        'PARAMETERS',
        params.map(([name, value]) => [plain(name), plain(textOf(value))] as const),
        context,
      ),
    );
  sections.push(fileSection(described, context));
  const variables = described.environmentVariables.map(
    ({ name, description, default: value }) =>
      [
        plain(name),
        plain([value === undefined ? 'no default' : `default ${value}`, description].filter(Boolean).join('; ')),
      ] as const,
  );
  if (variables.length > 0) sections.push(list('ENVIRONMENT VARIABLES', variables, context));
  const requirements =
    described.requirements.length > 0 ? described.requirements : (version.environment?.requirements ?? []);
  if (requirements.length > 0)
    sections.push(title('REQUIREMENTS', context) + requirements.map((line) => `${plain(line)}\n`).join(''));
  return sections.join('\n');
}

function headline({ version }: Shown, context: Context): string {
  const { colors } = context.terminal.out;
  const aliases = version.aliases.map((alias) => colors.green(`@${plain(alias)}`)).join(' ');
  const status = version.status === 'active' ? '' : colors.yellow(version.status);
  const parts = [
    colors.bold(`${version.model}:${version.number}`),
    version.label === undefined ? '' : plain(version.label),
    aliases,
    status,
  ];
  return `${parts.filter((part) => part !== '').join('  ')}\n`;
}

function facts({ version, package: described, captured }: Shown, context: Context): [string, string | undefined][] {
  const { colors } = context.terminal.out;
  const git = version.lineage?.git;
  const model = captured?.model;
  return [
    ['description', optional(version.description ?? described.metadata?.description)],
    ['digest', version.manifest],
    [
      'pushed',
      `${formatAge(version.publishedAt, context.now())} (${formatTime(version.publishedAt)}) by ${plain(version.publishedBy)}`,
    ],
    ['message', optional(version.message)],
    ['author', optional(version.author ?? described.metadata?.author)],
    ['created', optional(described.metadata?.createdDate)],
    ['data', optional(described.metadata?.trainedOnData)],
    ['flavor', version.flavor],
    [
      'model',
      model?.class === undefined
        ? undefined
        : plain([model.class, model.framework, model.version].filter(Boolean).join(' ')),
    ],
    ['size', `${formatBytes(version.sizeBytes)} in ${count(version.fileCount, 'file')}`],
    ['python', optional(version.environment?.python ?? described.pythonVersion)],
    [
      'git',
      git === undefined
        ? undefined
        : plain(
            `${git.commit}${git.branch === undefined ? '' : ` on ${git.branch}`}${git.dirty ? ', with uncommitted changes' : ''}`,
          ),
    ],
    ['notebook', optional(version.lineage?.notebook)],
    ['made from', optional(version.lineage?.parents?.join(', '))],
    [
      'tags',
      optional(
        Object.entries(version.tags ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .join('  '),
      ),
    ],
    [
      'inferred',
      optional(
        described.inferred.map((inference) => `${inference.what}: ${inference.value} (${inference.from})`).join('\n'),
      ),
    ],
    ['scan', version.scan],
    [
      'loading',
      described.executesCode
        ? colors.yellow(`executes code: ${codeIn(version, described)}`)
        : 'executes no code of the package',
    ],
  ];
}

function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : text.split('\n').map(plain).join('\n');
}

function codeIn(version: VersionRecord, described: PackageDescription): string {
  const reason = version.serializer?.executesCode === true ? version.serializer.reason : undefined;
  if (reason !== undefined) return plain(reason);
  const paths = described.files
    .map((file) => file.path)
    .filter((path) => path === described.interfacePath || /\.(?:pkl|pickle|joblib|pt|pth|ckpt)$/i.test(path));
  const named = paths.length === 0 ? (described.artifactPath ?? described.flavor) : paths.join(', ');
  return `${plain(named)}; load it only if you trust who pushed it`;
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

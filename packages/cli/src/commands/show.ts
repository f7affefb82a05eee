import type { Capture } from '@ingot/core/capture';
import { isIngotError } from '@ingot/core/errors';
import { isModelCard } from '@ingot/core/package/model-card';
import type { PackageDescription } from '@ingot/core/package/package';
import { parseReference } from '@ingot/core/ref';
import type { VersionRecord } from '@ingot/core/registry/registry';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Context, Result } from '../context.ts';
import { describeVersion } from '../describe-version.ts';
import { meantAsPath } from '../meant-as-path.ts';
import { meantThen } from '../meant-then.ts';
import { openStore } from '../open.ts';
import { capturedSections } from '../output/captured-sections.ts';
import { inferredIn, loadingOf, optional, packageSections } from '../output/package-sections.ts';
import { formatFacts } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { versionCard } from '../version-card.ts';
import { count, formatAge, formatBytes, formatTime } from '../output/units.ts';

/** `ingot show SOURCE`: shows all that is known of a version. */
export async function run(context: Context): Promise<Result> {
  const text = context.arguments.argument(0);
  if (context.arguments.isOn('card')) return await showCard(text, context);
  if (isPlainAddress(text)) return await (await import('./show-source.ts')).showSource(text, context);
  const shown = await shownVersion(text, context).catch((error: unknown) => {
    throw isIngotError(error) ? meantAsPath(text, context.cwd, error) : error;
  });
  return {
    json: { version: shown.version, package: shown.package, captured: shown.captured },
    quiet: [`${shown.version.model}:${shown.version.number}`],
    human: () => page(shown, context),
  };
}

/** The card as it is, so that it can be redirected into a file and edited. */
async function showCard(text: string, context: Context): Promise<Result> {
  await using store = await openStore(context);
  const { version, card, from } = await versionCard(store, parseReference(text), context);
  const ref = `${version.model}:${version.number}`;
  return { json: { ref, card, from }, quiet: [ref], human: () => (card.endsWith('\n') ? card : `${card}\n`) };
}

async function shownVersion(text: string, context: Context): Promise<Shown> {
  const asked = parseReference(text);
  const at = context.arguments.text('at');
  await using store = await openStore(context);
  const reference = at === undefined ? asked : await meantThen(asked, at, { registry: store.registry, context });
  return await describeVersion(store, reference, context);
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
  sections.push(
    ...packageSections(
      described,
      {
        signature,
        metrics: version.metrics ?? {},
        params: { ...described.metadata?.hyperparameters, ...version.params },
        requirements:
          described.requirements.length > 0 ? described.requirements : (version.environment?.requirements ?? []),
      },
      context,
    ),
    ...capturedSections(shown.captured, out),
  );
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

function facts(shown: Shown, context: Context): [string, string | undefined][] {
  const { version, package: described, captured } = shown;
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
    [
      'created',
      version.createdAt === undefined ? optional(described.metadata?.createdDate) : formatTime(version.createdAt),
    ],
    ['data', optional(described.metadata?.trainedOnData)],
    ['flavor', version.flavor],
    [
      'model',
      model?.class === undefined
        ? undefined
        : plain([model.class, model.framework, model.version].filter(Boolean).join(' ')),
    ],
    ['size', `${formatBytes(version.sizeBytes)} in ${count(version.fileCount, 'file')}`],
    ['python', pythonOf(shown)],
    ['platform', platformOf(shown)],
    ['lock', lockOf(captured)],
    [
      'git',
      git === undefined
        ? undefined
        : plain(
            `${git.commit}${git.branch === undefined ? '' : ` on ${git.branch}`}${git.dirty ? `, with uncommitted changes${git.diff === undefined ? '' : ` ${git.diff.slice(0, 19)}`}` : ''}`,
          ),
    ],
    ['repository', optional(git?.remote)],
    ['trained on', trainedOn(shown)],
    ['taken from', optional(version.lineage?.source?.address)],
    ['notebook', optional(version.lineage?.notebook)],
    ['run', optional(version.lineage?.run)],
    ['stage', optional(version.stage)],
    ['made from', optional(version.lineage?.parents?.join(', '))],
    [
      'tags',
      optional(
        Object.entries(version.tags ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .join('  '),
      ),
    ],
    ['inferred', inferredIn(described)],
    ['model card', cardOf(shown)],
    ['scan', version.scan],
    ['loading', loadingOf(described, version.serializer, context)],
  ];
}

function pythonOf({ version, package: described }: Shown): string | undefined {
  const python = version.environment?.python ?? described.pythonVersion;
  const platform = version.environment?.platform;
  return python === undefined ? undefined : plain(platform === undefined ? python : `${python} on ${platform}`);
}

function platformOf(shown: Shown): string | undefined {
  return pythonOf(shown) === undefined ? optional(shown.version.environment?.platform) : undefined;
}

function lockOf(captured: Capture | null): string | undefined {
  const lock = captured?.environment?.lock ?? [];
  if (lock.length === 0) return undefined;
  const hashed = lock.every((line) => line.includes('--hash='));
  return `${count(lock.length, 'distribution')}, ${hashed ? 'with the hashes of their files' : 'without hashes'}`;
}

function trainedOn({ version }: Shown): string | undefined {
  const lines = version.lineage?.data?.map(({ name, rows, columns, digest, source }) =>
    [name, rows !== undefined && `${rows} × ${columns ?? '?'}`, digest, source].filter(Boolean).join('  '),
  );
  return optional(lines?.join('\n'));
}

/** Where the card is from; the card itself is asked for with `--card`. */
function cardOf({ version, package: described }: Shown): string {
  const own = described.files.find(({ path }) => isModelCard(path));
  const from = version.card === undefined ? (own?.path ?? 'generated') : 'edited';
  return `${plain(from)}; ingot show ${version.model}:${version.number} --card`;
}

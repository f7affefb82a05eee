import type { SourcePackage } from '@ingot/core/source-reader';
import type { Context, Result } from '../context.ts';
import { describePackage } from '../describe-version.ts';
import { openCache } from '../open-cache.ts';
import { inferredIn, loadingOf, optional, packageSections } from '../output/package-sections.ts';
import { sourceDocument, sourceSection } from '../output/source-section.ts';
import { shellWord } from '../output/shell-word.ts';
import { formatFacts } from '../output/table.ts';
import { count, formatBytes, formatTime } from '../output/units.ts';
import { nameOfSource, openSourceReader } from '../plain-sources.ts';

/** A model in a plain directory or bucket has no history; everything else is shown the same way. */
export async function showSource(text: string, context: Context): Promise<Result> {
  await using cache = openCache(context.settings, context.now);
  const { cwd, now, progress, signal } = context;
  const reader = openSourceReader(context.settings, { cache, cwd, now, onProgress: progress.onProgress });
  const found = await reader.open(text, { signal });
  const { record, cached, staleSince } = found;
  return {
    json: {
      version: null,
      source: {
        ...sourceDocument(record),
        model: record.model,
        digest: record.manifest,
        staleSince: staleSince ?? null,
      },
      package: describePackage(cached.description),
      captured: null,
    },
    quiet: [nameOfSource(found)],
    human: () => sourcePage(found, context),
    notes: [
      ...(staleSince === undefined
        ? []
        : [`the storage does not answer; this is what was known at ${formatTime(staleSince)}`]),
      `next: ingot serve ${shellWord(text)}   or, to keep its history: ingot import ${shellWord(text)}`,
    ],
  };
}

function sourcePage(found: SourcePackage, context: Context): string {
  const { out } = context.terminal;
  const { record, cached } = found;
  const described = cached.description;
  const facts: [string, string | undefined][] = [
    ['description', optional(described.metadata?.description)],
    ['digest', record.manifest],
    ['author', optional(described.metadata?.author)],
    ['created', optional(described.metadata?.createdDate)],
    ['flavor', described.flavor],
    ['size', `${formatBytes(cached.sizeBytes)} in ${count(described.files.length, 'file')}`],
    ['python', optional(described.pythonVersion)],
    ['inferred', inferredIn(described)],
    ['loading', loadingOf(described, undefined, context)],
  ];
  return [
    `${out.colors.bold(nameOfSource(found))}\n`,
    sourceSection(record, context).trimEnd(),
    formatFacts(facts, { width: out.columns, colors: out.colors }),
    ...packageSections(
      described,
      {
        signature: described.signature,
        metrics: {},
        params: described.metadata?.hyperparameters ?? {},
        requirements: described.requirements,
      },
      context,
    ),
  ].join('\n');
}

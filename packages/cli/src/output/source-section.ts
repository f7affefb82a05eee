import type { SourceRecord } from '@ingot/core/source-record';
import type { SourceMatch } from '@ingot/core/source/source-match';
import type { Context } from '../context.ts';
import { formatFacts } from './table.ts';
import { plain } from './terminal.ts';
import { formatAge, formatTime } from './units.ts';

/** What is said of the files that a plain address means. */
type Shown = Pick<SourceRecord, 'location' | 'version' | 'because' | 'notes' | 'revision'> & {
  readonly address: string;
  readonly modifiedAt: string;
};

/** The part of a `--json` document that says which files an address means and why. */
export function sourceDocument(found: SourceMatch | SourceRecord): Readonly<Record<string, unknown>> {
  const { address, location, version, because, notes, revision, modifiedAt } = shown(found);
  return {
    address,
    location,
    version: version.text,
    label: version.label ?? null,
    number: version.number ?? null,
    date: version.date ?? null,
    modifiedAt,
    revision,
    because,
    notes,
  };
}

/** The same for people. */
export function sourceSection(found: SourceMatch | SourceRecord, context: Context): string {
  const { out } = context.terminal;
  const { location, version, because, notes, modifiedAt } = shown(found);
  const facts: [string, string][] = [
    ['found', plain(location)],
    ['version', plain(version.text)],
    ['why', [because, ...notes].map(plain).join('\n')],
    // Places that keep no time say the beginning of time.
    ...(Date.parse(modifiedAt) === 0
      ? []
      : [
          ['modified', `${formatAge(modifiedAt, context.now())} (${formatTime(modifiedAt)})`] satisfies [
            string,
            string,
          ],
        ]),
  ];
  return `${formatFacts(facts, { width: out.columns, colors: out.colors })}\n`;
}

function shown(found: SourceMatch | SourceRecord): Shown {
  const { location, version, because, notes, revision, address, modifiedAt } = found;
  return {
    location,
    version,
    because,
    notes,
    revision,
    address: typeof address === 'string' ? address : address.text,
    modifiedAt: typeof modifiedAt === 'string' ? modifiedAt : modifiedAt.toISOString(),
  };
}

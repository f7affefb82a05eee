import type { Capture } from '../../capture.ts';
import type { LocatedFiles } from '../locate.ts';
import type { Inference, Problem } from '../package.ts';
import { comparePaths } from '../paths.ts';
import type { ForeignPackage } from './open-foreign.ts';

/** The files of a package with those that were written for it, in path order. */
export function adaptedFiles(located: LocatedFiles, foreign: ForeignPackage | undefined): LocatedFiles {
  if (foreign === undefined) return located;
  const files = [...located.files, ...foreign.added].sort((a, b) => comparePaths(a.path, b.path));
  return { ...located, files, baseName: foreign.baseName };
}

/** What was understood of a foreign package, and what was written for it. */
export function adaptedInferences(foreign: ForeignPackage | undefined): Inference[] {
  if (foreign === undefined) return [];
  const { finding, added } = foreign;
  const written = added.map(({ path }) => path).join(', ');
  return [
    { what: 'format', value: finding.kind, from: `the file ${finding.from}` },
    ...finding.understood,
    ...(written === ''
      ? []
      : [{ what: 'written', value: written, from: 'so that it is a package; its own files stay as they are' }]),
  ];
}

/** Whether a problem is that a part is there twice, where one of the two was written on purpose. */
export function isReplaced({ rule, file }: Problem, foreign: ForeignPackage | undefined): boolean {
  return rule === 'package.part-twice' && file !== undefined && foreign?.finding.replaced?.includes(file) === true;
}

/** What a foreign package says of itself, with what was captured besides; the latter wins. */
export function withForeign(captured: Capture | undefined, foreign: Capture | undefined): Capture | undefined {
  if (foreign === undefined || Object.keys(foreign).length === 0) return captured;
  if (captured === undefined) return foreign;
  return {
    ...foreign,
    ...captured,
    ...both('metrics', foreign, captured),
    ...both('tags', foreign, captured),
    ...both('lineage', foreign, captured),
  };
}

function both(key: 'metrics' | 'tags' | 'lineage', first: Capture, second: Capture): Capture {
  const merged = { ...first[key], ...second[key] };
  return Object.keys(merged).length === 0 ? {} : { [key]: merged };
}

import type { Flavor, Problem } from '../package.ts';
import type { SourceFile } from '../source-file.ts';
import type { SniffedPickle } from './flavor.ts';
import { nameOf } from './pickles.ts';

/** Finds what is worth knowing before a model is stored: classes of a notebook, files nobody can load, empty ones. */
export function findWarnings(
  flavor: Flavor,
  artifact: SourceFile | undefined,
  pickles: readonly SniffedPickle[],
): Problem[] {
  return [
    ...warnAboutClasses(pickles, flavor),
    ...warnUnservable(flavor, artifact, pickles),
    ...warnAboutArtifact(flavor, artifact),
  ];
}

function warnAboutClasses(pickles: readonly SniffedPickle[], flavor: Flavor): Problem[] {
  if (flavor === 'function') return [];
  return pickles.flatMap(({ path, summary }): Problem[] => {
    const own = summary.globals.filter(({ module }) => module === '__main__').map(({ name }) => name);
    if (own.length === 0) return [];
    return [
      {
        severity: 'warning',
        rule: 'pickle.main-class',
        message: `${path} needs ${own.join(', ')} from the notebook or script it was made in (__main__)`,
        file: path,
        fix: 'define it in a .py file of the package, import it from there, and pickle again',
      },
    ];
  });
}

function warnUnservable(
  flavor: Flavor,
  artifact: SourceFile | undefined,
  pickles: readonly SniffedPickle[],
): Problem[] {
  if (flavor !== 'file') return [];
  const summary = pickles.find(({ path }) => path === artifact?.path)?.summary;
  const what = summary?.root === undefined ? '' : ` (${artifact?.path} holds ${nameOf(summary)})`;
  return [
    {
      severity: 'warning',
      rule: 'package.not-servable',
      message: `nothing says how to load this model, so it can be stored but not served${what}`,
      fix: 'ingot init PATH writes an interface.py to fill in',
    },
  ];
}

function warnAboutArtifact(flavor: Flavor, artifact: SourceFile | undefined): Problem[] {
  if (artifact === undefined && flavor === 'python') {
    return [
      {
        severity: 'warning',
        rule: 'package.no-artifact',
        message: 'the package holds code only: no file in it looks like a trained model',
        fix: 'put the file that interface.py loads beside it, or ignore this when the code is the model',
      },
    ];
  }
  if (artifact === undefined || artifact.sizeBytes > 0) return [];
  return [
    {
      severity: 'warning',
      rule: 'package.empty-artifact',
      message: `${artifact.path} is empty (0 bytes)`,
      file: artifact.path,
      fix: 'save the model again, and close the file before pushing it',
    },
  ];
}

import type { Problem } from './package.ts';
import { INTERFACE_FILES } from './interface-check.ts';
import { nearest } from '../nearest.ts';
import type { SourceFile } from './source-file.ts';

/** The files of a package whose names mean something; all lie at its root. */
export interface Parts {
  readonly interface?: SourceFile;
  readonly metadata?: SourceFile;
  readonly requirements?: SourceFile;
  readonly setup?: SourceFile;
  readonly pythonVersion?: SourceFile;
}

const METADATA_FILES = ['metadata.yaml', 'metadata.yml', 'metadata.json'];
const SETUP_FILES = ['setup.sh', 'setup.py'];
const OTHERS = ['requirements.txt', '.python-version'];
const KNOWN = [...INTERFACE_FILES, ...METADATA_FILES, ...SETUP_FILES, ...OTHERS];

/** Finds the known parts; names that are nearly one, and parts that are there twice, are warnings. */
export function findParts(files: readonly SourceFile[]): {
  readonly parts: Parts;
  readonly problems: readonly Problem[];
} {
  const atRoot = new Map(files.filter(({ path }) => !path.includes('/')).map((file) => [file.path, file]));
  const problems: Problem[] = [];
  const first = (names: readonly string[]): SourceFile | undefined => {
    const found = names.flatMap((name) => atRoot.get(name) ?? []);
    const [chosen, ...rest] = found;
    for (const other of rest) {
      problems.push({
        severity: 'warning',
        rule: 'package.part-twice',
        message: `${other.path} is not used, because ${chosen?.path} is there as well`,
        file: other.path,
        fix: 'keep one of the two',
      });
    }
    return chosen;
  };
  const parts: Parts = {
    interface: first(INTERFACE_FILES),
    metadata: first(METADATA_FILES),
    requirements: first(['requirements.txt']),
    setup: first(SETUP_FILES),
    pythonVersion: first(['.python-version']),
  };
  for (const path of atRoot.keys()) {
    const meant = KNOWN.includes(path) ? undefined : nearest(path, KNOWN);
    if (meant === undefined || atRoot.has(meant)) continue;
    problems.push({
      severity: 'warning',
      rule: 'package.misnamed-part',
      message: `${path} is taken for an artifact`,
      file: path,
      fix: `did you mean ${meant}? Then rename it`,
    });
  }
  const nested = parts.interface === undefined && parts.metadata === undefined ? findNested(files) : undefined;
  if (nested !== undefined) {
    problems.push({
      severity: 'warning',
      rule: 'package.nested',
      message: `${nested} is not read, because it does not lie at the root of the package`,
      file: nested,
      fix: `did you mean to name the directory ${nested.slice(0, nested.lastIndexOf('/'))}?`,
    });
  }
  return { parts, problems };
}

/** An interface file one or more folders down: somebody named the directory above the package. */
function findNested(files: readonly SourceFile[]): string | undefined {
  return files.find(({ path }) => INTERFACE_FILES.some((name) => path.endsWith(`/${name}`)))?.path;
}

import type { Capture } from '../capture.ts';
import { distributionsOf } from './distributions.ts';
import type { FlavorFinding } from './flavors/flavor.ts';
import type { Inference, Metadata, Problem } from './package.ts';
import { normalizeDistribution, parseRequirements, type Requirement } from './requirements.ts';

/** What a package needs around it, as far as its files say it. */
export interface PackageEnvironment {
  /** Lines of `requirements.txt`, or inferred names without versions. */
  readonly requirements: readonly string[];
  /** `3.11` or `3.11.7`, from the metadata or `.python-version`. */
  readonly pythonVersion?: string;
  readonly inferred: readonly Inference[];
  readonly problems: readonly Problem[];
}

/** Texts of the files that say something about the environment. */
export interface EnvironmentSources {
  readonly requirements?: string;
  readonly pythonVersion?: string;
}

const VERSION = /^(?:==|~=|python|cpython|>=|\s|-)*(3(?:\.\d{1,2}){1,2})(?:\.\*)?$/i;

/**
 * Finds requirements and the Python version; without `requirements.txt` the names come from what pickles import.
 * @param foreign distributions that only the system a package comes from needs. They are left out of its
 *   `requirements.txt` where no pickle of the package imports them.
 */
export function findEnvironment(
  sources: EnvironmentSources,
  metadata: Metadata | undefined,
  finding: FlavorFinding,
  captured: Capture | undefined,
  foreign: readonly string[] = [],
): PackageEnvironment {
  const python = findPython(sources, metadata);
  if (sources.requirements !== undefined) {
    const { requirements, problems } = parseRequirements(sources.requirements);
    const imported = new Set(inferNames(finding).map(normalizeDistribution));
    const isLeftOut = ({ name = '' }: Requirement): boolean => {
      const distribution = normalizeDistribution(name);
      return foreign.includes(distribution) && !imported.has(distribution);
    };
    const leftOut = requirements.filter(isLeftOut).map(({ text }) => text);
    return {
      requirements: requirements.filter((one) => !isLeftOut(one)).map(({ text }) => text),
      ...python,
      inferred: leftOut.length === 0 ? [] : [withoutLines(leftOut)],
      problems: [...problems, ...python.problems],
    };
  }
  const names = finding.flavor === 'onnx' || finding.flavor === 'file' ? [] : inferLines(finding);
  const known = captured?.environment?.requirements ?? [];
  if (names.length === 0 || known.length > 0) return { requirements: names, ...python, inferred: [] };
  const value = names.join(', ');
  return {
    requirements: names,
    ...python,
    inferred: [{ what: 'requirements', value, from: sourceOf(finding) }],
    problems: [...python.problems, ...warnAboutLines(names)],
  };
}

function withoutLines(lines: readonly string[]): Inference {
  return { what: 'requirements', value: `without ${lines.join(', ')}`, from: 'nothing in the package imports it' };
}

function sourceOf({ pickles }: FlavorFinding): string {
  return pickles.length > 0 ? 'the modules that the pickle names, without versions' : 'the format of the artifact';
}

function warnAboutLines(lines: readonly string[]): readonly Problem[] {
  const loose = lines.find((line) => !line.includes('=='));
  if (loose === undefined) return [];
  return [
    {
      severity: 'warning',
      rule: 'requirements.missing',
      message: `there is no requirements.txt; it probably needs ${lines.join(', ')}`,
      fix: `write requirements.txt with one pin a line: ${loose}==…`,
    },
  ];
}

/** What the format implies, then what pickles import beside it. */
function inferLines(finding: FlavorFinding): string[] {
  const implied = finding.requirements;
  const known = new Set(implied.map(nameOf));
  return [...implied, ...inferNames(finding).filter((name) => !known.has(nameOf(name)))];
}

function nameOf(line: string): string {
  return normalizeDistribution(/^[A-Za-z0-9._-]+/.exec(line)?.[0] ?? line);
}

function inferNames({ pickles, artifactPath, ownModules }: FlavorFinding): string[] {
  const modules = pickles
    .flatMap(({ summary }) => summary.globals.map(({ module }) => module))
    .filter((module) => !ownModules.has(module.split('.', 1)[0] ?? ''));
  if (artifactPath !== undefined && /\.joblib$/i.test(artifactPath)) modules.push('joblib');
  return distributionsOf(modules);
}

function findPython(
  sources: EnvironmentSources,
  metadata: Metadata | undefined,
): { readonly pythonVersion?: string; readonly problems: readonly Problem[] } {
  const declared = metadata?.raw.python_version;
  const written =
    typeof declared === 'string' || typeof declared === 'number'
      ? String(declared)
      : sources.pythonVersion?.trim().split(/\s/, 1)[0];
  if (written === undefined || written === '') return { problems: [] };
  const file = declared === undefined ? '.python-version' : 'metadata.yaml';
  const version = VERSION.exec(written)?.[1];
  if (version !== undefined) return { pythonVersion: version, problems: [] };
  return {
    problems: [
      {
        severity: 'warning',
        rule: 'environment.python-version',
        message: `"${written.slice(0, 40)}" in ${file} is not read as a Python version`,
        file,
        fix: 'write it like 3.11 or 3.11.7',
      },
    ],
  };
}

import { IngotError } from '../errors.ts';
import { type ModelName, parseLabel, parseModelName, toModelName } from '../ref.ts';
import type { Inference, Metadata, Problem } from './package.ts';

/** How a package is to be called. */
export interface Naming {
  readonly name?: ModelName;
  readonly displayName?: string;
  readonly label?: string;
  readonly labelFrom?: 'flag' | 'metadata';
  readonly inferred: readonly Inference[];
  readonly problems: readonly Problem[];
}

/** What was given on the command line. */
export interface GivenNames {
  readonly name?: string;
  readonly label?: string;
}

/** Finds name and label: as given, else from the metadata, else (the name) from the file or directory. */
export function findNames(
  given: GivenNames,
  metadata: Metadata | undefined,
  metadataFile: string | undefined,
  baseName: string,
): Naming {
  const name = findName(given, metadata, metadataFile, baseName);
  const label = findLabel(given, metadata, metadataFile);
  return {
    ...name,
    ...label,
    inferred: [...name.inferred, ...label.inferred],
    problems: [...name.problems, ...label.problems],
  };
}

type NamePart = Pick<Naming, 'name' | 'displayName' | 'inferred' | 'problems'>;
type LabelPart = Pick<Naming, 'label' | 'labelFrom' | 'inferred' | 'problems'>;

function findName(
  given: GivenNames,
  metadata: Metadata | undefined,
  file: string | undefined,
  baseName: string,
): NamePart {
  if (given.name !== undefined) {
    const { value, problem } = attempt(given.name, parseModelName, 'name.invalid');
    return value === undefined ? { inferred: [], problems: [problem] } : { name: value, inferred: [], problems: [] };
  }
  const display = metadata?.name;
  const written = display ?? baseName;
  const from =
    display === undefined
      ? 'from the file or directory name'
      : `from "${display.slice(0, 80)}" in ${file ?? 'the metadata'}`;
  const { value, problem } = attempt(written, toModelName, 'name.invalid');
  if (value === undefined)
    return {
      inferred: [],
      problems: [{ ...problem, ...(display === undefined ? {} : { file }), fix: 'give one: --name churn' }],
    };
  if (value === display) return { name: value, inferred: [], problems: [] };
  return {
    name: value,
    ...(value === written ? {} : { displayName: written }),
    inferred: [{ what: 'name', value, from }],
    problems: [],
  };
}

function findLabel(given: GivenNames, metadata: Metadata | undefined, file: string | undefined): LabelPart {
  if (given.label !== undefined) {
    const { value, problem } = attempt(given.label, parseLabel, 'label.invalid');
    return value === undefined
      ? { inferred: [], problems: [problem] }
      : { label: value, labelFrom: 'flag', inferred: [], problems: [] };
  }
  if (metadata?.version === undefined) return { inferred: [], problems: [] };
  const { value, problem } = attempt(metadata.version, parseLabel, 'label.invalid');
  if (value === undefined) {
    return {
      inferred: [],
      problems: [
        {
          ...problem,
          severity: 'warning',
          rule: 'metadata.version-not-a-label',
          message: `the version "${metadata.version.slice(0, 40)}" is kept but cannot be used as a label`,
          file,
          fix: 'write it like 1.0 or 2024-03-01',
        },
      ],
    };
  }
  return {
    label: value,
    labelFrom: 'metadata',
    inferred: [{ what: 'label', value, from: `from version in ${file ?? 'the metadata'}` }],
    problems: [],
  };
}

function attempt<T>(
  text: string,
  parse: (text: string) => T,
  rule: string,
): { readonly value: T; readonly problem?: undefined } | { readonly value?: undefined; readonly problem: Problem } {
  try {
    return { value: parse(text) };
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    const fix = error.nearest === undefined ? undefined : `did you mean ${error.nearest}?`;
    return { problem: { severity: 'error', rule, message: error.message, ...(fix === undefined ? {} : { fix }) } };
  }
}

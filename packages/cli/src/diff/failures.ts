import type { VersionDifference } from './compare-versions.ts';

/** What `--fail-on` may name, and what then is wrong with B; empty when nothing is. */
const FAILURES: Readonly<Record<string, (difference: VersionDifference) => readonly string[]>> = {
  breaking: ({ breaks }) => breaks,
  unknown: ({ verdict }) => (verdict === 'unknown' ? ['a signature is missing'] : []),
  different: ({ verdict }) => (verdict === 'identical' ? [] : ['it has other files']),
  worse: ({ metrics }) =>
    Object.entries(metrics).flatMap(([name, { a, b, better }]) =>
      better === 'a' ? [`${name} went from ${a} to ${b}`] : [],
    ),
  drift: ({ data }) =>
    Object.entries({ ...data?.features, ...data?.target }).flatMap(([name, { psi, level }]) =>
      level === 'shifted' ? [`${name} is distributed otherwise (PSI ${psi})`] : [],
    ),
};

/** Says what is wrong with B by the rules that are named. */
export function failuresOf(difference: VersionDifference, rules: readonly string[]): readonly string[] {
  return rules.flatMap((rule) => FAILURES[rule]?.(difference) ?? []);
}

import type { Problem } from './package.ts';

/** How a line of `requirements.txt` asks for something. Only `named` ones install without `--allow-source`. */
export type RequirementKind = 'named' | 'option' | 'url' | 'vcs' | 'path';

/** One logical line of `requirements.txt`. */
export interface Requirement {
  readonly kind: RequirementKind;
  /** The line without comment, continuation lines joined. */
  readonly text: string;
  /** 1-based. */
  readonly line: number;
  /** As written, for `named` and `name @ url`. */
  readonly name?: string;
  readonly extras?: readonly string[];
  /** `==1.9.1`, `>=1,<2`; empty when any version will do. */
  readonly specifier?: string;
  /** `python_version < "3.12"`. */
  readonly marker?: string;
  /** `sha256:…` values of `--hash`. */
  readonly hashes?: readonly string[];
}

const NAMED = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)$/;
const CLAUSE = /^(?:===\s*[^\s,;()]+|(?:~=|==|!=|<=|>=|<|>)\s*[A-Za-z0-9.!+*_-]+)$/;
const VCS = /^(?:git|hg|svn|bzr)\+/i;

/**
 * Reads `requirements.txt` as pip does: comments, continuation lines, hashes, markers. Options, URLs, version control
 * and paths are classified, not judged: whoever builds an environment asks for `--allow-source`.
 */
export function parseRequirements(
  source: string,
  file = 'requirements.txt',
): { readonly requirements: readonly Requirement[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  if (source.includes('\0') || source.startsWith('\uFFFD')) {
    problems.push({
      severity: 'error',
      rule: 'requirements.encoding',
      message: `${file} is not UTF-8 text`,
      file,
      fix: 'save it as UTF-8 (PowerShell: pip freeze | Out-File -Encoding utf8 requirements.txt)',
    });
    return { requirements: [], problems };
  }
  const requirements: Requirement[] = [];
  for (const { text, line } of logicalLines(source.replace(/^\uFEFF/, ''))) {
    const parsed = parseLine(text, line);
    if (typeof parsed === 'string') {
      problems.push({
        severity: 'error',
        rule: 'requirements.syntax',
        message: `"${text.slice(0, 80)}" is not a requirement: ${parsed}`,
        file,
        line,
        fix: 'write one requirement a line: scikit-learn==1.9.1',
      });
    } else requirements.push(parsed);
  }
  problems.push(...repeated(requirements, file), ...unpinned(requirements, file), ...needSource(requirements, file));
  return { requirements, problems };
}

/** The name under which package indexes know a distribution: lower case, runs of `-_.` as one `-`. */
export function normalizeDistribution(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

function* logicalLines(source: string): Generator<{ readonly text: string; readonly line: number }> {
  let pending = '';
  let start = 0;
  for (const [index, raw] of source.split(/\r\n?|\n/).entries()) {
    if (pending === '') start = index + 1;
    const comment = /^\s*#/.test(raw);
    if (raw.endsWith('\\') && !comment) {
      pending += `${raw.slice(0, -1).trim()} `;
      continue;
    }
    const text = `${pending}${comment ? '' : raw}`.replace(/(?:^|\s+)#.*$/, '').trim();
    pending = '';
    if (text !== '') yield { text, line: start };
  }
  if (pending.trim() !== '') yield { text: pending.trim(), line: start };
}

function parseLine(text: string, line: number): Requirement | string {
  if (text.startsWith('-')) return { kind: 'option', text, line };
  if (/^[A-Za-z0-9._-]+\s*(?:\[[^\]]*\])?\s*@/.test(text)) return parseNamed(text, line);
  if (VCS.test(text)) return { kind: 'vcs', text, line };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: 'url', text, line };
  if (
    /^(?:\.{0,2}\/|\.{1,2}$|~|[A-Za-z]:\\|file:)/.test(text) ||
    /\.(?:whl|tar\.gz|zip|tar\.bz2)(?:\s|$|;|\[)/.test(text)
  )
    return { kind: 'path', text, line };
  return parseNamed(text, line);
}

function parseNamed(text: string, line: number): Requirement | string {
  const { body, hashes, unknown } = splitOptions(text);
  if (unknown !== undefined) return `"${unknown}" cannot stand behind a requirement`;
  const found = NAMED.exec(body);
  const [, name, extraText, rest = ''] = found ?? [];
  if (name === undefined) return 'it should start with the name of a distribution';
  const extras = extraText?.split(',').map((extra) => extra.trim());
  const common = {
    text,
    line,
    name,
    ...(extras === undefined ? {} : { extras }),
    ...(hashes.length === 0 ? {} : { hashes }),
  };
  if (rest.startsWith('@')) {
    const target = rest.slice(1).trim();
    return { kind: VCS.test(target) ? 'vcs' : target.startsWith('file:') ? 'path' : 'url', ...common };
  }
  const semicolon = rest.indexOf(';');
  const written = (semicolon < 0 ? rest : rest.slice(0, semicolon)).trim().replace(/^\((.*)\)$/, '$1');
  const marker = semicolon < 0 ? undefined : rest.slice(semicolon + 1).trim();
  if (marker === '') return 'a marker should follow the ";"';
  const clauses = written === '' ? [] : written.split(',').map((clause) => clause.trim());
  const bad = clauses.find((clause) => !CLAUSE.test(clause));
  if (bad !== undefined)
    return bad.startsWith('=') && !bad.startsWith('==')
      ? 'write "==" for an exact version'
      : `"${bad.slice(0, 40)}" is not a version`;
  return {
    kind: 'named',
    ...common,
    specifier: clauses.map((clause) => clause.replace(/\s+/g, '')).join(','),
    ...(marker === undefined ? {} : { marker }),
  };
}

function splitOptions(text: string): {
  readonly body: string;
  readonly hashes: readonly string[];
  readonly unknown?: string;
} {
  const at = text.search(/\s--/);
  if (at < 0) return { body: text, hashes: [] };
  const options = text
    .slice(at)
    .trim()
    .split(/\s+(?=--)/);
  const hashes = options.flatMap((option) => /^--hash[=\s]\s*(\S+)$/.exec(option)?.[1] ?? []);
  const unknown = options.find((option) => !/^--(?:hash|config-settings?|global-option)\b/.test(option));
  return { body: text.slice(0, at).trim(), hashes, unknown };
}

function repeated(requirements: readonly Requirement[], file: string): Problem[] {
  const seen = new Map<string, Requirement>();
  return requirements.flatMap((requirement): Problem[] => {
    if (requirement.name === undefined || requirement.marker !== undefined) return [];
    const key = normalizeDistribution(requirement.name);
    const other = seen.get(key);
    seen.set(key, requirement);
    if (other === undefined || other.text === requirement.text) return [];
    return [
      {
        severity: 'warning',
        rule: 'requirements.twice',
        message: `${requirement.name} is asked for twice, on line ${other.line} and ${requirement.line}`,
        file,
        line: requirement.line,
        fix: 'keep one of the lines',
      },
    ];
  });
}

function unpinned(requirements: readonly Requirement[], file: string): Problem[] {
  const loose = requirements.filter(({ kind, specifier }) => kind === 'named' && !/^===?[^,*]+$/.test(specifier ?? ''));
  const [first] = loose;
  if (first === undefined) return [];
  const names = loose.map(({ name, line }) => `${name} (line ${line})`);
  return [
    {
      severity: 'warning',
      rule: 'requirements.unpinned',
      message: `no exact version for ${listed(names)}: another day may install another version`,
      file,
      line: first.line,
      fix: `pin it: ${first.name}==…, the version that "pip show ${first.name}" prints`,
    },
  ];
}

function needSource(requirements: readonly Requirement[], file: string): Problem[] {
  const [first, ...more] = requirements.filter(({ kind }) => kind !== 'named');
  if (first === undefined) return [];
  const also = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return [
    {
      severity: 'warning',
      rule: 'requirements.source',
      message: `"${first.text.slice(0, 80)}"${also} is not a named package: serve installs it only with --allow-source`,
      file,
      line: first.line,
    },
  ];
}

function listed(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

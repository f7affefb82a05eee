import { IngotError } from '@ingot/core/errors';

const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
const VERSION = String.raw`(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+`;
const VERSIONS = String.raw`\(?\s*${VERSION}(?:\s*,\s*${VERSION})*\s*\)?`;
const MARKER = String.raw`;[\w\s.'"<>=!~()+-]+`;
const NAMED = new RegExp(String.raw`^${NAME}\s*(?:\[[\w\s,.-]*\])?\s*(?:${VERSIONS})?\s*(?:${MARKER})?$`);
const HASHES = /(?:\s+--hash[= ]sha(?:256|384|512):[0-9a-f]+)+$/;

/** A line of requirements.txt that asks for something. */
export interface Requirement {
  readonly text: string;
  /** 1-based line it begins on. */
  readonly line: number;
}

/** Reads requirement lines: comments and blank lines go, continued lines are joined. */
export function readRequirements(lines: readonly string[]): readonly Requirement[] {
  const found: Requirement[] = [];
  let open: { text: string; line: number } | undefined;
  lines.forEach((raw, index) => {
    const continued = raw.trimEnd().endsWith('\\');
    const text = raw
      .replace(/(^|\s)#.*$/, '')
      .trimEnd()
      .replace(/\\$/, '')
      .trim();
    open = open ? { text: `${open.text} ${text}`.trim(), line: open.line } : { text, line: index + 1 };
    if (continued) return;
    if (open.text !== '') found.push(open);
    open = undefined;
  });
  return found;
}

/**
 * Refuses everything but named packages: options, addresses, version control, paths and editable installs run or fetch what
 * nobody looked at.
 * @param hint what to do instead. Default: the flag of `serve` that admits them.
 * @throws IngotError `refused` naming file and line.
 */
export function checkNamed(
  requirements: readonly Requirement[],
  hint = 'ingot serve … --allow-source, if you trust this package',
): void {
  const refused = requirements.filter(({ text }) => !NAMED.test(text.replace(HASHES, '')));
  const [first] = refused;
  if (first === undefined) return;
  const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : '';
  throw new IngotError(
    'refused',
    `requirements.txt:${first.line}: "${first.text.slice(0, 120)}" is not a named package${more}; ` +
      'options, addresses, paths and version control are not installed',
    {
      hint,
      details: { refused: refused.map(({ line, text }) => `requirements.txt:${line}: ${text}`) },
    },
  );
}

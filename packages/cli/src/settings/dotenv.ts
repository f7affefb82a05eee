/**
 * Reads `KEY=value` lines as a `.env` file has them: comments, `export`, single and double quotes. Nothing is expanded.
 */
export function parseDotenv(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], unquote(match[2] ?? ''));
  }
  return values;
}

function unquote(value: string): string {
  const quoted = /^'([^']*)'/.exec(value) ?? /^"((?:[^"\\]|\\.)*)"/.exec(value);
  if (quoted === null) return value.replace(/(?:^|\s+)#.*$/, '');
  const inner = quoted[1] ?? '';
  return value.startsWith("'")
    ? inner
    : inner.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

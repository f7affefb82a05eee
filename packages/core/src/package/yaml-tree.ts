import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { JsonObject, JsonValue } from '../json.ts';
import type { Problem } from './package.ts';

/** A YAML value with its position and the text it was written as. */
export interface Tree {
  readonly line: number;
  readonly column: number;
  /** What YAML 1.2 core makes of it; numbers that would lose precision are text. */
  readonly value: JsonValue;
  /** The same, with every scalar whose text JSON would change kept as text (`1.0`, `0x1F`, big integers). */
  readonly lossless: JsonValue;
  /** For a scalar: what was written, without quotes. */
  readonly text?: string;
  readonly isText: boolean;
  /** For a list. */
  readonly items?: readonly Tree[];
  /** For a map, by key, in order. */
  readonly entries?: ReadonlyMap<
    string,
    { readonly key: { readonly line: number; readonly column: number }; readonly tree: Tree }
  >;
}

const MAX_BYTES = 1024 * 1024;
const MAX_NODES = 100_000;
const MAX_ALIASES = 100;
const MAX_DEPTH = 60;

/** Reads one YAML 1.2 core document; custom tags, repeated keys and alias bombs are problems. */
export function parseYaml(
  source: string,
  file: string,
  rulePrefix = 'metadata',
): { readonly tree?: Tree; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const at = (rule: string, message: string, line?: number, column?: number, fix?: string): void => {
    problems.push({ severity: 'error', rule: `${rulePrefix}.${rule}`, message, file, line, column, fix });
  };
  if (source.length > MAX_BYTES) {
    at(
      'too-large',
      `${file} is larger than 1 MiB`,
      undefined,
      undefined,
      'keep data out of the metadata; put it in a file of its own',
    );
    return { problems };
  }
  const deep = tooDeep(source);
  if (deep !== undefined) {
    at('too-deep', `${file} nests more than ${MAX_DEPTH} levels`, deep);
    return { problems };
  }
  const lines = new LineCounter();
  const document = parseDocument(source.replace(/^\uFEFF/, ''), {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent',
    stringKeys: true,
    // The parser compares every key with every other; `build` finds repeated keys in one pass.
    uniqueKeys: false,
  });
  for (const issue of [...document.errors, ...document.warnings]) {
    const position = lines.linePos(issue.pos[0]);
    const custom = issue.code === 'TAG_RESOLVE_FAILED';
    at(
      custom ? 'yaml-tag' : 'yaml-syntax',
      `${file} is not valid YAML: ${issue.message}`,
      position.line,
      position.col,
      fixFor(issue.code),
    );
  }
  if (problems.length > 0 || document.contents === null) return { problems };
  const budget = { nodes: MAX_NODES, aliases: MAX_ALIASES };
  try {
    const tree = build(document.contents, 0);
    return problems.length > 0 ? { problems } : { tree, problems };
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    at('too-large', `${file}: ${error.message}`, undefined, undefined, 'write the values out without nested aliases');
    return { problems };
  }

  function build(node: Node | null, depth: number): Tree {
    if (--budget.nodes < 0) throw new BudgetError('its aliases stand for more than 100,000 values');
    if (depth > MAX_DEPTH) throw new BudgetError(`it nests more than ${MAX_DEPTH} levels`);
    if (isAlias(node)) {
      if (--budget.aliases < 0) throw new BudgetError(`it holds more than ${MAX_ALIASES} aliases`);
      const target = node.resolve(document);
      return build(target ?? null, depth + 1);
    }
    const position = lines.linePos(node?.range?.[0] ?? 0);
    const place = { line: Math.max(1, position.line), column: Math.max(1, position.col) };
    if (isSeq<Node>(node)) {
      const items = node.items.map((item) => build(item, depth + 1));
      return {
        ...place,
        items,
        isText: false,
        value: items.map((item) => item.value),
        lossless: items.map((item) => item.lossless),
      };
    }
    if (isMap<Node, Node | null>(node)) {
      const entries = new Map<string, { key: { line: number; column: number }; tree: Tree }>();
      for (const pair of node.items) {
        const keyPosition = lines.linePos(pair.key.range?.[0] ?? 0);
        const key = isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value)) : String(pair.key);
        if (entries.has(key)) {
          const message = `${file} is not valid YAML: the key ${JSON.stringify(key)} is there twice`;
          at('yaml-syntax', message, keyPosition.line, keyPosition.col, 'keep one of the two');
        }
        entries.set(key, {
          key: { line: keyPosition.line, column: keyPosition.col },
          tree: build(pair.value, depth + 1),
        });
      }
      return {
        ...place,
        entries,
        isText: false,
        value: toObject(entries, 'value'),
        lossless: toObject(entries, 'lossless'),
      };
    }
    return { ...place, ...scalar(isScalar(node) ? node.value : null, isScalar(node) ? node.source : undefined) };
  }
}

class BudgetError extends Error {}

function toObject(entries: ReadonlyMap<string, { readonly tree: Tree }>, which: 'value' | 'lossless'): JsonObject {
  return Object.fromEntries([...entries].map(([key, { tree }]) => [key, tree[which]]));
}

function scalar(value: unknown, source: string | undefined): Pick<Tree, 'value' | 'lossless' | 'text' | 'isText'> {
  if (value === null || value === undefined) return { value: null, lossless: null, text: source ?? '', isText: false };
  const text = source ?? String(value);
  if (typeof value === 'boolean') return { value, lossless: value, text, isText: false };
  if (typeof value !== 'number') return { value: text, lossless: text, text, isText: true };
  const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return { value: exact ? value : text, lossless: exact && String(value) === text ? value : text, text, isText: false };
}

/** The line where brackets or indentation nest too deeply for the parser, checked before it is asked. */
function tooDeep(source: string): number | undefined {
  let line = 1;
  let depth = 0;
  for (const character of source) {
    if (character === '\n') line++;
    else if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
    if (depth > 1000) return line;
  }
  const lines = source.split('\n');
  const dashes = lines.findIndex((text) => /^\s*(?:[-?:] +){61}/.test(text));
  return dashes < 0 ? undefined : dashes + 1;
}

function fixFor(code: string): string | undefined {
  const fixes: Readonly<Record<string, string>> = {
    TAB_AS_INDENT: 'indent with spaces',
    BAD_INDENT: 'line the keys up: YAML reads structure from indentation',
    TAG_RESOLVE_FAILED: 'remove the tag (the word that starts with "!")',
    MISSING_CHAR: 'close the quote or bracket, or write "key: value" with a space after the colon',
    MULTILINE_IMPLICIT_KEY: 'write "key: value", one a line',
    BLOCK_AS_IMPLICIT_KEY: 'put text that holds ": " in quotes',
    MULTIPLE_DOCS: 'keep one document: remove the "---" in the middle',
    BAD_ALIAS: 'define the anchor before it is used, or write the value out',
  };
  return fixes[code];
}

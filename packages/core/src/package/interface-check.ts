import { nearest } from '../nearest.ts';
import type { Problem } from './package.ts';
import { type LogicalLine, type PythonToken, readPython } from './python-source.ts';

/** The names an interface file may have, the first one preferred. */
export const INTERFACE_FILES = ['interface.py', 'prediction_interface.py'] as const;

const WANTED = 'load_model';

/** Statements whose body still belongs to the module. */
const TRANSPARENT: ReadonlySet<string> = new Set([
  'if',
  'elif',
  'else',
  'try',
  'except',
  'finally',
  'with',
  'for',
  'while',
  'match',
  'case',
]);

/**
 * Checks, without running it, that an interface file defines `load_model` where `import` would find it, and that no
 * Python would refuse its syntax at first sight.
 */
export function checkInterface(source: string, file: string): Problem[] {
  const { lines, error } = readPython(source);
  if (error !== undefined) {
    return [
      {
        severity: 'error',
        rule: 'interface.syntax',
        message: `${file} is not valid Python: ${error.message}`,
        file,
        line: error.line,
        column: error.column,
        fix: `run: python -m py_compile ${file}`,
      },
    ];
  }
  const definitions = moduleLevel(lines).flatMap(definitionsOf);
  const found = definitions.filter(({ name }) => name === WANTED).at(-1);
  if (found !== undefined) return [...checkDefinition(found, file), ...unfinished(lines, file)];
  if (definitions.some(({ name }) => name === '*')) {
    return [
      {
        severity: 'warning',
        rule: 'interface.star-import',
        message: `${file} may get load_model from a star import; that is only known when it runs`,
        file,
        fix: 'import it by name: from … import load_model',
      },
    ];
  }
  return [missing(lines, definitions, file)];
}

/** What `ingot init` leaves to be filled in. An abstract class of one's own raises without saying anything. */
function unfinished(lines: readonly LogicalLine[], file: string): Problem[] {
  const found = lines.find(
    ({ tokens }) =>
      tokens[0]?.text === 'raise' && tokens[1]?.text === 'NotImplementedError' && tokens[3]?.kind === 'string',
  );
  if (found === undefined) return [];
  return [
    {
      severity: 'warning',
      rule: 'interface.unfinished',
      message: `${file} raises NotImplementedError: it is not filled in yet`,
      file,
      line: found.line,
      fix: 'write there how the model is loaded, or how it answers',
    },
  ];
}

interface Definition {
  readonly name: string;
  readonly how: 'def' | 'async' | 'other';
  readonly place: PythonToken;
  readonly parameters?: readonly PythonToken[];
}

function checkDefinition({ how, place, parameters }: Definition, file: string): Problem[] {
  const at = { file, line: place.line, column: place.column };
  if (how === 'async') {
    return [
      {
        severity: 'error',
        rule: 'interface.async-load-model',
        message: 'load_model is a coroutine, so calling it gives no model',
        ...at,
        fix: 'write "def load_model():" without async',
      },
    ];
  }
  if (how === 'def' && parameters !== undefined && needsArgument(parameters)) {
    return [
      {
        severity: 'error',
        rule: 'interface.load-model-arguments',
        message: 'load_model is called without arguments but asks for one',
        ...at,
        fix: 'write "def load_model():" and find files beside it with Path(__file__).parent',
      },
    ];
  }
  return [];
}

/** Whether a parameter list has a parameter without default (`*args`, `**kwargs` and markers aside). */
function needsArgument(parameters: readonly PythonToken[]): boolean {
  let depth = 0;
  const groups: PythonToken[][] = [[]];
  for (const token of parameters) {
    if (token.kind === 'symbol' && '([{'.includes(token.text)) depth++;
    if (token.kind === 'symbol' && ')]}'.includes(token.text)) depth--;
    if (depth === 0 && token.text === ',') groups.push([]);
    else groups.at(-1)?.push(token);
  }
  return groups.some((group) => group[0]?.kind === 'name' && !group.some((token) => token.text === '='));
}

function missing(lines: readonly LogicalLine[], definitions: readonly Definition[], file: string): Problem {
  const inner = lines.flatMap(definitionsOf).find(({ name }) => name === WANTED);
  if (inner !== undefined) {
    return {
      severity: 'error',
      rule: 'interface.no-load-model',
      message: `${file} defines load_model inside a class or function, where it is not found`,
      file,
      line: inner.place.line,
      column: inner.place.column,
      fix: 'move "def load_model():" to the left margin',
    };
  }
  const similar = nearest(
    WANTED,
    definitions.map(({ name }) => name),
  );
  const place = definitions.find(({ name }) => name === similar)?.place;
  const message = `${file} does not define load_model`;
  if (place !== undefined)
    return {
      severity: 'error',
      rule: 'interface.no-load-model',
      message,
      file,
      line: place.line,
      column: place.column,
      fix: `did you mean load_model instead of ${similar}?`,
    };
  return {
    severity: 'error',
    rule: 'interface.no-load-model',
    message,
    file,
    line: 1,
    fix: 'add "def load_model():" that returns an object with predict',
  };
}

/** Leaves out the bodies of functions and classes. */
function moduleLevel(lines: readonly LogicalLine[]): LogicalLine[] {
  const kept: LogicalLine[] = [];
  const opened: { readonly indent: number; readonly transparent: boolean }[] = [];
  for (const line of lines) {
    while (opened.length > 0 && line.indent <= (opened.at(-1)?.indent ?? 0)) opened.pop();
    if (opened.every(({ transparent }) => transparent)) kept.push(line);
    opened.push({ indent: line.indent, transparent: TRANSPARENT.has(line.tokens[0]?.text ?? '') });
  }
  return kept;
}

function definitionsOf(line: LogicalLine): Definition[] {
  return statements(line.tokens).flatMap((tokens) => {
    const [first, second] = tokens;
    if (first === undefined) return [];
    if (TRANSPARENT.has(first.text)) return inlineBody(tokens);
    if (first.text === 'def' && second !== undefined)
      return [{ name: second.text, how: 'def', place: second, parameters: parametersOf(tokens.slice(2)) }];
    if (first.text === 'async' && second?.text === 'def' && tokens[2] !== undefined)
      return [{ name: tokens[2].text, how: 'async', place: tokens[2] }];
    if (first.text === 'class' && second !== undefined) return [other(second)];
    if (first.text === 'from' || first.text === 'import') return imports(tokens);
    return assignments(tokens);
  });
}

/** `if x: load_model = a` on one line. */
function inlineBody(tokens: readonly PythonToken[]): Definition[] {
  const colon = topLevel(tokens, ':');
  return colon < 0 ? [] : assignments(tokens.slice(colon + 1));
}

function statements(tokens: readonly PythonToken[]): PythonToken[][] {
  const parts: PythonToken[][] = [[]];
  for (const token of tokens) {
    if (token.text === ';' && token.kind === 'symbol') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

function other(place: PythonToken): Definition {
  return { name: place.text, how: 'other', place };
}

function parametersOf(tokens: readonly PythonToken[]): PythonToken[] | undefined {
  if (tokens[0]?.text !== '(') return undefined;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'symbol' && '([{'.includes(token.text)) depth++;
    if (token.kind === 'symbol' && ')]}'.includes(token.text)) depth--;
    if (depth === 0) return tokens.slice(1, index);
  }
  return undefined;
}

/** Names bound by `import a as b`, `from a import b, c as d` or `from a import *`. */
function imports(tokens: readonly PythonToken[]): Definition[] {
  const start = tokens.findIndex((token) => token.text === 'import');
  if (start < 0) return [];
  const groups: PythonToken[][] = [[]];
  for (const token of tokens.slice(start + 1)) {
    if (token.text === ',') groups.push([]);
    else if (token.text !== '(' && token.text !== ')') groups.at(-1)?.push(token);
  }
  return groups.flatMap((group) => {
    const bound = group.find((_, index) => group[index - 1]?.text === 'as') ?? group[0];
    return bound === undefined ? [] : [other(bound)];
  });
}

/** Names bound by `a = …`, `a: T = …`, `a = b = …` and `a, b = …`. */
function assignments(tokens: readonly PythonToken[]): Definition[] {
  const last = tokens.reduce(
    (found, token, index) =>
      token.text === '=' && token.kind === 'symbol' && depthAt(tokens, index) === 0 ? index : found,
    -1,
  );
  if (last < 0) return [];
  const targets = tokens.slice(0, last);
  return targets.flatMap((token, index) => {
    const before = targets[index - 1]?.text;
    const after = tokens[index + 1]?.text;
    const starts =
      before === undefined || before === '=' || before === ',' || before === '(' || before === '[' || before === '*';
    const ends = after === '=' || after === ',' || after === ':' || after === ')' || after === ']';
    return token.kind === 'name' && starts && ends ? [other(token)] : [];
  });
}

function topLevel(tokens: readonly PythonToken[], text: string): number {
  return tokens.findIndex(
    (token, index) => token.kind === 'symbol' && token.text === text && depthAt(tokens, index) === 0,
  );
}

function depthAt(tokens: readonly PythonToken[], end: number): number {
  let depth = 0;
  for (const token of tokens.slice(0, end)) {
    if (token.kind !== 'symbol') continue;
    if ('([{'.includes(token.text)) depth++;
    else if (')]}'.includes(token.text)) depth--;
  }
  return depth;
}

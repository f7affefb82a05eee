import { type Colors, plain } from './terminal.ts';
import { formatTime } from './units.ts';

/** A graph as it is drawn; edges point from what was there first. */
export interface DrawnGraph {
  readonly root: string;
  readonly nodes: readonly DrawnNode[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[];
  readonly isCut: boolean;
}

interface DrawnNode {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Draws a version with what it came from and what came of it, as trees; what stands there already is not drawn again. */
export function lineageTree(graph: DrawnGraph, direction: 'up' | 'down' | 'both', colors: Colors): string {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const lines: string[] = [];
  const root = nodes.get(graph.root);
  if (root === undefined) return '';
  lines.push(lineOf(root, colors));
  for (const way of direction === 'both' ? (['up', 'down'] as const) : [direction]) {
    const branches: string[] = [];
    draw(graph.root, '  ', { graph, nodes, way, colors, lines: branches, drawn: new Set([graph.root]) });
    const title = way === 'up' ? 'came from' : 'what came of it';
    lines.push(branches.length === 0 ? colors.dim(`${title}: nothing that is known`) : colors.dim(title), ...branches);
  }
  return `${lines.join('\n')}\n`;
}

interface Drawing {
  readonly graph: DrawnGraph;
  readonly nodes: ReadonlyMap<string, DrawnNode>;
  readonly way: 'up' | 'down';
  readonly colors: Colors;
  readonly lines: string[];
  readonly drawn: Set<string>;
}

function draw(id: string, indent: string, drawing: Drawing): void {
  const { graph, nodes, way, colors, lines, drawn } = drawing;
  const next = graph.edges.flatMap(({ from, to }) => (way === 'up' ? to === id && [from] : from === id && [to]) || []);
  // Data is what a version came from; below it stand the others that were trained on it.
  const shared =
    way === 'down' && id === graph.root
      ? graph.edges.filter((edge) => edge.to === id && isShared(edge.from, id, graph))
      : [];
  const isData = nodes.get(id)?.kind === 'data';
  const all = [...next, ...shared.map(({ from }) => from)].filter((other) => !isData || !drawn.has(other));
  for (const [place, other] of all.entries()) {
    const node = nodes.get(other);
    if (node === undefined) continue;
    const isLast = place === all.length - 1;
    const isKnown = drawn.has(other);
    lines.push(`${indent}${isLast ? '└─ ' : '├─ '}${lineOf(node, colors)}${isKnown ? colors.dim(' (see above)') : ''}`);
    if (isKnown) continue;
    drawn.add(other);
    draw(other, `${indent}${isLast ? '   ' : '│  '}`, drawing);
  }
}

/** Whether data was used by others, too. */
function isShared(from: string, by: string, graph: DrawnGraph): boolean {
  const isData = graph.nodes.some(({ id, kind }) => id === from && kind === 'data');
  return isData && graph.edges.some((edge) => edge.from === from && edge.to !== by);
}

function lineOf({ kind, name, facts }: DrawnNode, colors: Colors): string {
  const known = (DETAILS[kind] ?? []).flatMap((key) => {
    const value = facts[key];
    if (value === undefined || value === false || value === '') return [];
    return [value === true ? key : plain(shown(String(value)))];
  });
  const title = kind === 'version' ? colors.bold(plain(name)) : `${kind} ${colors.bold(plain(name))}`;
  return known.length === 0 ? title : `${title}  ${colors.dim(known.join('  '))}`;
}

/** What is told of a node besides its name. */
const DETAILS: Readonly<Record<string, readonly string[]>> = {
  version: ['label', 'aliases', 'stage', 'flavor', 'publishedAt', 'publishedBy'],
  data: ['digest', 'source'],
  commit: ['branch', 'dirty', 'remote'],
  environment: ['platform'],
  server: ['host', 'since'],
};

/** Digests by their beginning, times as everywhere. */
function shown(text: string): string {
  if (text.startsWith('sha256:')) return text.length > 19 ? `${text.slice(0, 19)}…` : text;
  return /^\d{4}-\d{2}-\d{2}T/.test(text) ? formatTime(text) : text;
}

import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { listOf } from '../find-versions.ts';
import type { OpenedStore } from '../open.ts';
import { openStore } from '../open.ts';
import { type DrawnGraph, lineageTree } from '../output/lineage-tree.ts';
import { openServerApi } from '../server-api.ts';

const DEPTH = 5;
const DEEPEST = 20;

/** `ingot lineage REF`: tells what a version came from, and what came of it. */
export async function run(context: Context): Promise<Result> {
  const ref = context.arguments.argument(0);
  const isUp = context.arguments.isOn('up');
  const isDown = context.arguments.isOn('down');
  const direction = isUp === isDown ? 'both' : isUp ? 'up' : 'down';
  const depth = depthOf(context.arguments.text('depth'));
  await using store = await openStore(context);
  const graph =
    store.isServer === true
      ? await askServer(store.address, { ref, direction, depth }, context)
      : await readLogs(store, { ref, direction, depth }, context);
  return {
    json: { ref, ...graph },
    quiet: graph.nodes.filter(({ id, kind }) => kind === 'version' && id !== graph.root).map(({ name }) => name),
    human: () => lineageTree(graph, direction, context.terminal.out.colors),
    notes: graph.isCut ? [`there is more: --depth ${DEEPEST}, or ask about another version`] : [],
  };
}

interface Asked {
  readonly ref: string;
  readonly direction: 'up' | 'down' | 'both';
  readonly depth: number;
}

function depthOf(text: string | undefined): number {
  if (text === undefined) return DEPTH;
  if (/^\d{1,2}$/.test(text) && Number(text) <= DEEPEST) return Number(text);
  throw new IngotError('usage', `--depth is "${text}"; it takes a whole number from 0 to ${DEEPEST}`);
}

async function readLogs(
  { registry }: Pick<OpenedStore, 'registry'>,
  { ref, direction, depth }: Asked,
  { signal }: Context,
): Promise<DrawnGraph> {
  const { readLineage } = await import('@ingot/registry/lineage/lineage');
  const { registryLineage } = await import('@ingot/registry/lineage/registry-lineage');
  const version = await registry.version(parseReference(ref), { signal });
  return readLineage(version, registryLineage(registry, { signal }), { direction, depth });
}

async function askServer(address: string, { ref, direction, depth }: Asked, context: Context): Promise<DrawnGraph> {
  const query = new URLSearchParams({ ref, direction, depth: String(depth) });
  const answer = await openServerApi(address, context).ask(`/lineage?${query}`);
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    root: text(answer.root),
    nodes: listOf(answer.nodes).map((node) => ({
      id: text(node.id),
      kind: text(node.kind),
      name: text(node.name),
      facts: factsIn(node.facts),
    })),
    edges: listOf(answer.edges).map((edge) => ({ from: text(edge.from), to: text(edge.to), kind: text(edge.kind) })),
    isCut: answer.isCut === true,
  };
}

function factsIn(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

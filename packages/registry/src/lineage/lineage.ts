/**
 * *Lineage* is what a version came from (up: parents, run, data, commit, environment) and what came of it (down: versions
 * made from it, versions trained on the same data, servers that answer with it), as a graph of *nodes* and *edges* that
 * point from what was there first.
 */

import { formatReference, parseReference, type Reference } from '@ingot/core/ref';
import { isIngotError } from '@ingot/core/errors';
import { compact } from '@ingot/core/registry/fields';
import type { VersionRecord } from '@ingot/core/registry/registry';

/** Something that a version came from, or that came of it. */
export interface LineageNode {
  /** One for each thing in the graph: `version:churn:7`. */
  readonly id: string;
  readonly kind: 'version' | 'address' | 'run' | 'data' | 'commit' | 'environment' | 'server';
  /** For people: `churn:7`, `customers`, `4f1c2a`. */
  readonly name: string;
  /** What else is known of it. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** How one came of the other. */
export interface LineageEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: 'parent of' | 'logged' | 'trained' | 'code of' | 'environment of' | 'source of' | 'answers at';
}

/** What a version came from, and what came of it. */
export interface Lineage {
  /** The node that was asked about. */
  readonly root: string;
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
  /** There is more than is shown. */
  readonly isCut: boolean;
}

/** What the graph is made from: an index, or logs. What the asker may not read is not there. */
export interface LineageReader {
  /** The version that a reference meant at a time; undefined: none that is there, or may be read. */
  versionAt(reference: Reference, at: string): Promise<VersionRecord | undefined>;
  /** Versions that name this one as a parent; `limit` at most. */
  childrenOf(version: VersionRecord, limit: number): Promise<readonly VersionRecord[]>;
  /** Versions whose data has one of these digests; `limit` at most. */
  trainedOn(digests: readonly string[], limit: number): Promise<readonly VersionRecord[]>;
  /** Servers that answer with it now; `limit` at most. */
  serversOf(version: VersionRecord, limit: number): Promise<readonly AnsweringServer[]>;
}

/** A server that answers with a version. */
export interface AnsweringServer {
  readonly id: string;
  readonly host: string;
  readonly address: string;
  readonly since: string;
}

/** How far is looked. */
export interface LineageOptions {
  readonly direction: 'up' | 'down' | 'both';
  /** Steps from version to version; 1: parents, children. */
  readonly depth: number;
  /** Most nodes. Default: 1,000. */
  readonly nodes?: number;
}

/** Deepest that may be asked for. */
export const DEEPEST = 20;

const MOST_NODES = 1000;
const MOST_AT_ONE = 200;

/** Reads the lineage of a version. */
export async function readLineage(
  version: VersionRecord,
  reader: LineageReader,
  options: LineageOptions,
): Promise<Lineage> {
  const graph = new Graph(options.nodes ?? MOST_NODES);
  const root = graph.add(versionNode(version)) ?? '';
  if (options.direction !== 'down') await goUp(version, { graph, reader, options });
  if (options.direction !== 'up') await goDown(version, { graph, reader, options });
  return { root, nodes: [...graph.nodes.values()], edges: [...graph.edges.values()], isCut: graph.isCut };
}

interface Walk {
  readonly graph: Graph;
  readonly reader: LineageReader;
  readonly options: LineageOptions;
}

class Graph {
  readonly nodes = new Map<string, LineageNode>();
  readonly edges = new Map<string, LineageEdge>();
  isCut = false;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** Adds a node; undefined when there is no room for it. */
  add(node: LineageNode): string | undefined {
    if (!this.nodes.has(node.id) && this.nodes.size >= this.#most) {
      this.isCut = true;
      return undefined;
    }
    if (!this.nodes.has(node.id)) this.nodes.set(node.id, node);
    return node.id;
  }

  link(from: string | undefined, to: string | undefined, kind: LineageEdge['kind']): void {
    if (from !== undefined && to !== undefined) this.edges.set(`${from} ${to} ${kind}`, { from, to, kind });
  }
}

async function goUp(start: VersionRecord, { graph, reader, options: { depth } }: Walk): Promise<void> {
  const seen = new Set([idOf(start)]);
  for (let level = [start], step = 0; level.length > 0; step += 1) {
    const next: VersionRecord[] = [];
    for (const version of level) {
      addOrigins(version, graph);
      if (step >= depth) {
        graph.isCut ||= (version.lineage?.parents ?? []).length > 0;
        continue;
      }
      for (const text of version.lineage?.parents ?? []) {
        const parent = await parentOf(text, version, reader);
        const node = graph.add(parent === undefined ? addressNode(text) : versionNode(parent));
        graph.link(node, idOf(version), 'parent of');
        if (parent === undefined || node === undefined || seen.has(node)) continue;
        seen.add(node);
        next.push(parent);
      }
    }
    level = next;
  }
}

async function goDown(start: VersionRecord, { graph, reader, options: { depth } }: Walk): Promise<void> {
  const seen = new Set([idOf(start)]);
  await addSiblings(start, graph, reader);
  for (let level = [start], step = 0; level.length > 0; step += 1) {
    const next: VersionRecord[] = [];
    for (const version of level) {
      await addServers(version, graph, reader);
      const children = await reader.childrenOf(version, step >= depth ? 1 : MOST_AT_ONE + 1);
      if (children.length > (step >= depth ? 0 : MOST_AT_ONE)) graph.isCut = true;
      for (const child of step >= depth ? [] : children.slice(0, MOST_AT_ONE)) {
        const node = graph.add(versionNode(child));
        graph.link(idOf(version), node, 'parent of');
        if (node === undefined || seen.has(node)) continue;
        seen.add(node);
        next.push(child);
      }
    }
    level = next;
  }
}

/** What a version was made with, apart from other versions. */
function addOrigins(version: VersionRecord, graph: Graph): void {
  const { lineage, environment } = version;
  const to = idOf(version);
  const link = (node: LineageNode, kind: LineageEdge['kind']): void => graph.link(graph.add(node), to, kind);
  if (lineage?.run !== undefined) link(node('run', lineage.run, lineage.run, {}), 'logged');
  for (const data of lineage?.data ?? []) link(dataNode(data), 'trained');
  const { git, source } = lineage ?? {};
  if (git !== undefined) {
    const { commit, branch, remote, dirty } = git;
    link(
      node('commit', `${commit}${dirty ? '+' : ''}`, commit.slice(0, 12), { commit, branch, remote, dirty }),
      'code of',
    );
  }
  if (source !== undefined)
    link(node('address', source.address, source.address, { revision: source.revision }), 'source of');
  if (environment !== undefined) {
    const { python, platform, requirements } = environment;
    const key = JSON.stringify([python ?? '', platform ?? '', ...requirements]);
    const name = `Python ${python ?? '?'}, ${requirements.length} ${requirements.length === 1 ? 'package' : 'packages'}`;
    link(node('environment', key, name, { python, platform, requirements: requirements.join('\n') }), 'environment of');
  }
}

async function addSiblings(version: VersionRecord, graph: Graph, reader: LineageReader): Promise<void> {
  const data = (version.lineage?.data ?? []).filter(({ digest }) => digest !== undefined);
  if (data.length === 0) return;
  for (const each of data) graph.link(graph.add(dataNode(each)), idOf(version), 'trained');
  const digests = data.flatMap(({ digest }) => digest ?? []);
  const others = await reader.trainedOn(digests, MOST_AT_ONE + 1);
  if (others.length > MOST_AT_ONE) graph.isCut = true;
  for (const other of others.slice(0, MOST_AT_ONE)) {
    const to = graph.add(versionNode(other));
    for (const each of other.lineage?.data ?? [])
      if (each.digest !== undefined && digests.includes(each.digest))
        graph.link(graph.add(dataNode(each)), to, 'trained');
  }
}

async function addServers(version: VersionRecord, graph: Graph, reader: LineageReader): Promise<void> {
  const servers = await reader.serversOf(version, MOST_AT_ONE);
  for (const { id, host, address, since } of servers)
    graph.link(idOf(version), graph.add(node('server', id, address, { host, since })), 'answers at');
}

/** What a reference meant when the version was published. */
async function parentOf(
  text: string,
  { publishedAt }: VersionRecord,
  reader: LineageReader,
): Promise<VersionRecord | undefined> {
  try {
    return await reader.versionAt(parseReference(text), publishedAt);
  } catch (error) {
    // An address, or what was no reference then: it is shown as it was given.
    if (isIngotError(error, 'invalid-reference', 'invalid-name')) return undefined;
    throw error;
  }
}

function idOf({ modelId, number }: VersionRecord): string {
  return `version:${modelId}:${number}`;
}

function versionNode(version: VersionRecord): LineageNode {
  const { model, number, modelId, manifest, label, status, stage, flavor, publishedAt, publishedBy, author, aliases } =
    version;
  const name = formatReference({ name: model, selector: { kind: 'version', number } });
  const facts = { modelId, number, model, manifest, label, status, stage, flavor, publishedAt, publishedBy, author };
  return {
    id: idOf(version),
    kind: 'version',
    name,
    facts: compact({ ...facts, aliases: aliases.length === 0 ? undefined : aliases.join(', ') }),
  };
}

function addressNode(text: string): LineageNode {
  return node('address', text, text, {});
}

function dataNode({
  name,
  digest,
  source,
}: {
  readonly name: string;
  readonly digest?: string;
  readonly source?: string;
}): LineageNode {
  return node('data', digest ?? `${name} ${source ?? ''}`, name, { digest, source });
}

function node(
  kind: LineageNode['kind'],
  key: string,
  name: string,
  facts: Readonly<Record<string, string | number | boolean | undefined>>,
): LineageNode {
  const known = Object.entries(facts).flatMap(([fact, value]) => (value === undefined ? [] : [[fact, value] as const]));
  return { id: `${kind}:${key}`, kind, name, facts: Object.fromEntries(known) };
}

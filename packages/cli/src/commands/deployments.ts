import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { listOf } from '../find-versions.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { formatTime } from '../output/units.ts';
import { serverOfRegistry } from '../server-api.ts';

const PAGE = 1000;
const MOST = 10_000;

/** `ingot deployments [REF]`: tells which model servers answer, or answered, with which versions. */
export async function run(context: Context): Promise<Result> {
  const query = queryOf(context);
  const api = serverOfRegistry(context);
  const items: JsonObject[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined && items.length < MOST; ) {
    if (cursor !== '') query.set('cursor', cursor);
    const page = await api.ask(`/deployments?${query}`);
    items.push(...listOf(page.items));
    cursor = typeof page.next === 'string' ? page.next : undefined;
  }
  const { out } = context.terminal;
  const rows = (): string[][] => items.map((item) => rowOf(item, context));
  const columns = ['VERSION', 'SERVER', 'HOST', 'SINCE', 'UNTIL', 'NAMED BY'].map((title) => ({ title }));
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return {
    json: { deployments: items },
    quiet: items.map(({ model, number }) => `${model}:${number}`),
    human: () => (items.length === 0 ? '' : formatTable(columns, rows(), { width, colors: out.colors })),
    notes:
      items.length === 0 ? ['no model server has reported that: ingot serve REF reports to its registry server'] : [],
  };
}

function queryOf({ arguments: given }: Context): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) });
  const text = given.argument(0);
  if (text !== '') {
    const { name, selector } = parseReference(text);
    query.set('model', name);
    if (selector.kind === 'version') query.set('version', String(selector.number));
    else if (selector.kind !== 'latest')
      throw new IngotError('usage', `"${text}" names another version now and then: give a number`, {
        hint: `ingot deployments ${name}   (or ${name}:7)`,
      });
  }
  for (const key of ['at', 'from', 'to']) {
    const time = given.text(key);
    if (time !== undefined) query.set(key, time);
  }
  if (given.isOn('live')) query.set('live', 'true');
  return query;
}

function rowOf(item: JsonObject, { terminal: { out } }: Context): string[] {
  const server = isJsonObject(item.server) ? item.server : {};
  const sources = Array.isArray(item.sources) ? item.sources.map((source) => plain(String(source))) : [];
  const time = (value: unknown): string => (typeof value === 'string' ? formatTime(value) : '');
  return [
    out.colors.bold(`${plain(String(item.model))}:${String(item.number)}`),
    plain(String(server.address)),
    plain(String(server.host)),
    time(item.since),
    item.isLive === true ? out.colors.green('now') : time(item.until),
    sources.join(', '),
  ];
}

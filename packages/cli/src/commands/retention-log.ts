import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import type { Context, Result } from '../context.ts';
import { formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { formatBytes, formatTime } from '../output/units.ts';
import { serverOfRegistry } from '../server-api.ts';

const DEFAULT_LIMIT = 20;

/** `ingot retention log`: tells what runs of retention did, newest first, and when the next one is due. */
export async function run(context: Context): Promise<Result> {
  const limit = limitOf(context.arguments.text('limit'));
  const { items, nextAt = null } = await serverOfRegistry(context).ask(`/retention?limit=${limit}`);
  const runs = (Array.isArray(items) ? items : []).filter(isJsonObject);
  const { out } = context.terminal;
  const titles = ['BEGAN', 'BY', 'OF', 'RELEASED', 'BYTES', 'KEPT', 'ERROR'];
  const columns = titles.map((title) => ({ title }));
  return {
    json: { runs, nextAt },
    quiet: runs.map(({ id }) => String(id)),
    human: () =>
      runs.length === 0 ? '' : formatTable(columns, runs.map(rowOf), { width: tableWidth(out), colors: out.colors }),
    notes: [
      ...(runs.length === 0 ? ['retention has released nothing yet'] : []),
      typeof nextAt === 'string'
        ? `the next run is due ${nextAt}`
        : 'it runs only when somebody asks: ingot up --retention-every 1d changes that',
    ],
  };
}

function rowOf(each: JsonObject): string[] {
  return [
    formatTime(String(each.beganAt)),
    plain(String(each.actor)),
    each.model === null ? 'all models' : plain(String(each.model)),
    String(each.released),
    formatBytes(Number(each.releasedBytes)),
    String(each.kept),
    each.error === null ? (each.endedAt === null ? 'did not end' : '') : plain(String(each.error)),
  ];
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0 && number <= 1000) return number;
  throw new IngotError('usage', `--limit is a whole number from 1 to 1,000, and is "${text}"`);
}

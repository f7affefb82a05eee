import type { JsonObject, JsonValue } from '@ingot/core/json';
import { IngotError } from '@ingot/core/errors';
import type { Context, Result } from '../context.ts';
import { findWebhook } from '../find-webhook.ts';
import { formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { formatTime } from '../output/units.ts';
import { serverOfRegistry } from '../server-api.ts';
import { deliveriesOf } from '../webhook-deliveries.ts';

const DEFAULT_LIMIT = 50;

/** `ingot webhook deliveries NAME`: tells what was sent to a webhook, newest first. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given } = context;
  const api = serverOfRegistry(context);
  const limit = limitOf(given.text('limit'));
  const webhook = await findWebhook(api, given.argument(0));
  const isFailed = ({ state }: JsonObject): boolean => !given.isOn('failed') || state === 'failed';
  const deliveries = await deliveriesOf(api, webhook, { limit, keep: isFailed });
  const { out } = context.terminal;
  const time = (value: JsonValue | undefined): string => (typeof value === 'string' ? formatTime(value) : '');
  const rows = deliveries.map((each) => [
    String(each.id),
    String(each.eventType),
    plain(String(each.eventId)),
    String(each.state),
    String(each.attempts),
    each.statusCode === null ? '' : String(each.statusCode),
    time(each.createdAt),
    time(each.nextAt),
    each.error === null ? '' : plain(String(each.error)),
  ]);
  const titles = ['ID', 'TYPE', 'EVENT', 'STATE', 'ATTEMPTS', 'STATUS', 'MADE', 'NEXT', 'ERROR'];
  const columns = titles.map((title) => ({ title }));
  return {
    json: { webhook: webhook.id, deliveries },
    quiet: deliveries.map(({ id }) => String(id)),
    human: () => (rows.length === 0 ? '' : formatTable(columns, rows, { width: tableWidth(out), colors: out.colors })),
    notes: rows.length === 0 ? ['nothing was sent to it in the last week'] : [],
  };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new IngotError('usage', `--limit is a whole number, and is "${text}"`);
}

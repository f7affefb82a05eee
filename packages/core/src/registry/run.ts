import type { Digest } from '../digest.ts';
import { digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';
import { Fields } from './fields.ts';
import type { SlimEvent } from './fold.ts';

/** Events of a log in a row, slimmed down: what a segment (256 of them) or a head (those since the last segment) holds. */
export interface Run {
  /** Version of the fold that slimmed them. */
  readonly fold: number;
  /** Sequence number of the first event. */
  readonly from: number;
  /** Digest of the event before the first, null at the start of the log. */
  readonly previous: Digest | null;
  /** Digest of the last event. */
  readonly digest: Digest;
  readonly events: readonly SlimEvent[];
}

const START = `{"sum":"${digestOf('')}","run":`.length;

/** Writes a run as JSON that carries its own digest. */
export function encodeRun(run: Run): string {
  const text = JSON.stringify(run);
  return `{"sum":"${digestOf(text)}","run":${text}}\n`;
}

/**
 * Reads a run.
 * @throws IngotError `integrity` when it is damaged.
 */
export function parseRun(bytes: Uint8Array, file: string): Run {
  const text = Buffer.from(bytes).toString('utf8');
  const document = parseJson(text);
  const whole = isJsonObject(document) && document.sum === digestOf(text.slice(START, -2));
  if (!whole) throw new IngotError('integrity', `${file} is damaged`, { details: { file } });
  const fields = new Fields(document, file).inner('run');
  return {
    fold: fields.count('fold'),
    from: fields.positive('from'),
    previous: fields.raw('previous') === null ? null : fields.digest('previous'),
    digest: fields.digest('digest'),
    events: fields.objects('events').map(parseSlim),
  };
}

/** Sequence number of the last event of a run. */
export function endOf(run: Run): number {
  return run.from + run.events.length - 1;
}

function parseSlim(fields: Fields): SlimEvent {
  const body = fields.optionalObject('body');
  return {
    seq: fields.positive('seq'),
    at: fields.text('at'),
    kind: fields.text('kind'),
    ...(fields.optionalBoolean('ignorable') ? { ignorable: true as const } : {}),
    ...(body === undefined ? {} : { body }),
  };
}

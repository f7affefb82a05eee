import { IngotError, ERROR_CODES } from '@ingot/core/errors';
import type { JsonObject, JsonValue } from '@ingot/core/json';
import { isJsonObject } from '@ingot/core/json';

/** A request for predictions, as it goes to a model server. */
export interface Question {
  readonly model: string;
  /** Version number or label; undefined: the server's default. */
  readonly version?: string | undefined;
  /** Rows as JSON or CSV. */
  readonly body: Uint8Array;
  readonly type: 'application/json' | 'text/csv';
  readonly method?: string | undefined;
}

/** What a model server answered. */
export interface ServerAnswer {
  readonly predictions: readonly JsonValue[];
  readonly labels?: JsonValue;
  readonly model: string;
  readonly version: string;
  readonly digest: string;
}

/**
 * Sends rows to a model server.
 * @throws IngotError the server's own code, or `unavailable` when nothing answers at `url`.
 */
export async function askServer(
  url: string,
  question: Question,
  options: { readonly signal: AbortSignal },
): Promise<ServerAnswer> {
  const response = await send(url, question, options.signal);
  const body = await bodyOf(response, url);
  if (!response.ok) throw errorOf(response.status, body);
  const { predictions, labels, model, version, digest } = body;
  if (!Array.isArray(predictions)) throw new IngotError('unavailable', `${url} does not answer like a model server`);
  const fact = (value: JsonValue | undefined, header: string): string =>
    typeof value === 'string' ? value : decodeURI(response.headers.get(header) ?? '');
  return {
    predictions,
    ...(labels !== undefined && { labels }),
    model: fact(model, 'ingot-model'),
    version: fact(version, 'ingot-model-version'),
    digest: fact(digest, 'ingot-model-digest'),
  };
}

async function send(url: string, question: Question, signal: AbortSignal): Promise<Response> {
  const headers = { 'content-type': question.type };
  try {
    return await fetch(addressOf(url, question), { method: 'POST', headers, body: question.body, signal });
  } catch (cause) {
    if (signal.aborted) throw new IngotError('interrupted', 'interrupted', { cause });
    throw new IngotError('unavailable', `no answer from ${url}`, { cause, hint: `curl ${url}/v2/health/ready` });
  }
}

function addressOf(url: string, { model, version, type, method }: Question): string {
  const base = url.replace(/\/+$/, '');
  const named = encodeURIComponent(model);
  const versioned = version === undefined ? named : `${named}/versions/${encodeURIComponent(version)}`;
  if (type === 'text/csv') return `${base}/models/${versioned}/invocations`;
  return `${base}/predict/${versioned}${method === undefined ? '' : `?method=${encodeURIComponent(method)}`}`;
}

async function bodyOf(response: Response, url: string): Promise<JsonObject> {
  try {
    const body: unknown = await response.json();
    if (isJsonObject(body)) return body;
  } catch {
    // Said below: whatever is there, it is no model server.
  }
  throw new IngotError(
    'unavailable',
    `${url} answered with status ${response.status} and no JSON; is it a model server?`,
  );
}

function errorOf(status: number, body: JsonObject): IngotError {
  const { error, code, hint, nearest, ...details } = body;
  const known = ERROR_CODES.find((candidate) => candidate === code);
  return new IngotError(
    known ?? (status >= 500 ? 'unavailable' : 'invalid-request'),
    typeof error === 'string' ? error : `the server answered with status ${status}`,
    {
      operation: 'predict',
      details,
      ...(typeof hint === 'string' && { hint }),
      ...(typeof nearest === 'string' && { nearest }),
    },
  );
}

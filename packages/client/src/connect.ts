/**
 * A *client* talks to one model server; a *model* is one of its names; a *row* is one input by feature name. Needs
 * nothing but `fetch`, so it runs in Node, Deno, Bun, workers and browsers.
 */

import { isRecord, ModelServerError } from './errors.ts';
import { type Answer, type AskOptions, attempts, type Question, type RequestOptions } from './request.ts';

export type { AskOptions } from './request.ts';

/** Options of {@link connect}. */
export type ConnectOptions = RequestOptions;

/** One input by feature name. Give your own type to {@link Client.model} to have names and types checked. */
export type Row = { readonly [feature: string]: unknown };

/** What a model answered, and which version it was. */
export interface Prediction<Output> {
  /** One entry a row: a scalar for a model of one output, an object for several. */
  readonly predictions: readonly Output[];
  /** Names of the predicted classes, where the model declares them. */
  readonly labels?: readonly unknown[];
  readonly model: string;
  readonly version: string;
  /** Names the exact package that answered. */
  readonly digest: string;
}

/** Options of one prediction. */
export interface PredictOptions extends AskOptions {
  /** Number or label of a version that the server serves. Default: the one configured first. */
  readonly version?: number | string;
  /** Another method of the model, for example `predict_proba`. Default: `predict`. */
  readonly method?: string;
}

/** One model of a server. */
export interface Model<Input extends object, Output> {
  readonly name: string;
  /**
   * Answers rows.
   * @throws ModelServerError
   */
  predict(rows: readonly Input[], options?: PredictOptions): Promise<Prediction<Output>>;
  /** Says whether the model is loaded. */
  ready(options?: AskOptions): Promise<boolean>;
}

/** A connection to a model server. */
export interface Client {
  /** Names a model of the server; nothing is asked yet. */
  model<Input extends object = Row, Output = unknown>(name: string): Model<Input, Output>;
  /** Says whether every configured model has been ready. */
  ready(options?: AskOptions): Promise<boolean>;
  /** Names of the models that answer. */
  models(options?: AskOptions): Promise<readonly string[]>;
}

/**
 * Connects to a model server.
 *
 * @example
 * const churn = connect('http://127.0.0.1:8080').model<{ age: number; plan: string }, number>('churn');
 * const { predictions, version } = await churn.predict([{ age: 41, plan: 'pro' }]);
 */
export function connect(url: string, options: ConnectOptions = {}): Client {
  const base = url.replace(/\/+$/, '');
  const ask = (path: string, init: Question, signal: AbortSignal | undefined): Promise<Answer> =>
    attempts(base + path, init, signal, options);
  const isReady = async (path: string, signal: AbortSignal | undefined): Promise<boolean> => {
    try {
      return (await attempts(base + path, {}, signal, { ...options, retries: 0 })).status === 200;
    } catch (error) {
      if (error instanceof ModelServerError && error.status !== undefined) return false;
      throw error;
    }
  };
  return {
    model: <Input extends object, Output>(name: string): Model<Input, Output> => ({
      name,
      predict: async (rows, { signal, version, method } = {}) => {
        const versioned = version === undefined ? '' : `/versions/${pathOf(String(version))}`;
        const query = method === undefined ? '' : `?method=${encodeURIComponent(method)}`;
        const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(rows) };
        return readPrediction<Output>(await ask(`/predict/${pathOf(name)}${versioned}${query}`, init, signal));
      },
      ready: ({ signal } = {}) => isReady(`/v2/models/${pathOf(name)}/ready`, signal),
    }),
    ready: ({ signal } = {}) => isReady('/v2/health/ready', signal),
    models: async ({ signal } = {}) => readModels(await ask('/v2/models', {}, signal)),
  };
}

/** A namespace stays one path segment. */
function pathOf(name: string): string {
  return encodeURIComponent(name);
}

function readPrediction<Output>({ status, body }: Answer): Prediction<Output> {
  if (!isPrediction<Output>(body))
    throw new ModelServerError('invalid-response', 'the answer is not a prediction; is this a model server?', {
      status,
    });
  return body;
}

function isPrediction<Output>(body: unknown): body is Prediction<Output> {
  return isRecord(body) && Array.isArray(body.predictions) && typeof body.model === 'string';
}

function readModels({ status, body }: Answer): readonly string[] {
  const models = isRecord(body) ? body.models : undefined;
  if (Array.isArray(models)) return models.filter((name) => typeof name === 'string');
  throw new ModelServerError('invalid-response', 'the answer is not a list of models; is this a model server?', {
    status,
  });
}

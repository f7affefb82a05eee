import { describe, expect, it } from 'vitest';
import { connect } from './connect.ts';
import { ModelServerError } from './errors.ts';

const PREDICTION = { predictions: [0.18], model: 'churn', version: '7', digest: `sha256:${'0'.repeat(64)}` };

/** Answers each request with the next of `answers`, and keeps what was asked. */
function scripted(answers: readonly (Response | Error)[]) {
  const asked: { url: string; init: RequestInit | undefined }[] = [];
  const waited: number[] = [];
  const client = connect('http://models.test/', {
    fetch: async (url, init) => {
      const answer = answers[asked.length];
      asked.push({ url: String(url), init });
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer left');
      return answer;
    },
    wait: async (milliseconds) => {
      waited.push(milliseconds);
    },
    random: () => 0.5,
  });
  return { client, asked, waited };
}

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

async function failure(promise: Promise<unknown>): Promise<ModelServerError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof ModelServerError) return thrown;
  throw new Error(`expected a ModelServerError, got ${String(thrown)}`);
}

describe('connect', () => {
  it('posts rows to /predict/<model> and gives predictions with the version that made them', async () => {
    const { client, asked } = scripted([json(PREDICTION)]);
    expect(await client.model('churn').predict([{ age: 41 }])).toEqual(PREDICTION);
    expect(asked[0]?.url).toBe('http://models.test/predict/churn');
    expect(asked[0]?.init).toMatchObject({ method: 'POST', body: '[{"age":41}]' });
  });

  it('asks a version by number or label, and another method', async () => {
    const { client, asked } = scripted([json(PREDICTION), json(PREDICTION)]);
    await client.model('churn').predict([], { version: 7 });
    await client.model('churn').predict([], { version: '1.0 beta', method: 'predict_proba' });
    expect(asked.map(({ url }) => url)).toEqual([
      'http://models.test/predict/churn/versions/7',
      'http://models.test/predict/churn/versions/1.0%20beta?method=predict_proba',
    ]);
  });

  it('does not ask again what the model could not answer in time', async () => {
    const { client, asked } = scripted([json({ error: 'too slow', code: 'timeout' }, 504), json(PREDICTION)]);
    expect(await failure(client.model('churn').predict([]))).toMatchObject({ code: 'timeout', retryable: false });
    expect(asked).toHaveLength(1);
  });

  it('keeps a namespace in one path segment', async () => {
    const { client, asked } = scripted([json(PREDICTION)]);
    await client.model('team/churn').predict([]);
    expect(asked[0]?.url).toBe('http://models.test/predict/team%2Fchurn');
  });

  it('gives the code and the details of an error document, and does not repeat a wrong request', async () => {
    const { client, asked } = scripted([
      json({ error: 'missing: age', code: 'signature-mismatch', missing: ['age'] }, 422),
    ]);
    const error = await failure(client.model('churn').predict([{}]));
    expect(error).toMatchObject({
      code: 'signature-mismatch',
      status: 422,
      retryable: false,
      details: { missing: ['age'] },
    });
    expect(asked).toHaveLength(1);
  });

  it('repeats a request that the server was too busy for, waiting longer each time', async () => {
    const { client, waited } = scripted([json({}, 429), json({}, 503), json(PREDICTION)]);
    await client.model('churn').predict([]);
    expect(waited).toEqual([100, 200]);
  });

  it('says that nobody answers after the last attempt', async () => {
    const { client, asked } = scripted([new Error('refused'), new Error('refused'), new Error('refused')]);
    expect((await failure(client.model('churn').predict([]))).code).toBe('unreachable');
    expect(asked).toHaveLength(3);
  });

  it('calls an answer that is not a prediction by its name', async () => {
    const { client } = scripted([new Response('<html>')]);
    expect((await failure(client.model('churn').predict([]))).code).toBe('invalid-response');
  });

  it('gives up at once when the signal has fired', async () => {
    const { client, asked } = scripted([new Error('aborted')]);
    const error = await failure(client.model('churn').predict([], { signal: AbortSignal.abort() }));
    expect(error.code).toBe('interrupted');
    expect(asked).toHaveLength(1);
  });
});

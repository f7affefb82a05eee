import { createHash } from 'node:crypto';
import type { Reply } from './ask.ts';
import { type Client, isAnswer, type Shared } from './model-client.ts';
import { Possible } from './possible.ts';

const STEPS_OF_A_RUN = 30;

interface Run {
  readonly id: string;
  readonly steps: Set<number>;
  readonly tag: Possible<string | undefined>;
  readonly artifacts: Map<string, string>;
}

/** Logs runs as a client of MLflow does: metrics, a tag, artifacts through the proxy. */
export class RunClient implements Client {
  readonly #shared: Shared;
  readonly #name: string;
  readonly #runs: Run[] = [];
  #steps = 0;

  constructor(shared: Shared, name: string) {
    this.#shared = shared;
    this.#name = name;
  }

  async turn(): Promise<boolean> {
    const run = this.#runs.at(-1);
    this.#steps += 1;
    if (run === undefined || this.#steps % STEPS_OF_A_RUN === 0) return await this.#create();
    const chance = this.#shared.random();
    if (chance < 0.5) return await this.#log(run, this.#steps);
    if (chance < 0.7) return await this.#tag(run, `step ${this.#steps}`);
    return await this.#upload(run, `folder/file-${this.#steps}.bin`);
  }

  async #create(): Promise<boolean> {
    const body = { experiment_id: '0', run_name: this.#name, start_time: Date.now() };
    const reply = await this.#call<{ run: { info: { run_id: string } } }>('runs', 'runs/create', body);
    if (reply === undefined) return false;
    const id = reply.body.run.info.run_id;
    const tag = new Possible<string | undefined>(undefined);
    this.#runs.push({ id, steps: new Set(), tag, artifacts: new Map() });
    return true;
  }

  async #log(run: Run, step: number): Promise<boolean> {
    const metrics = [{ key: 'loss', value: 1 / step, timestamp: Date.now(), step }];
    const reply = await this.#call('metrics of runs', 'runs/log-batch', { run_id: run.id, metrics });
    if (reply !== undefined) run.steps.add(step);
    return reply !== undefined;
  }

  async #tag(run: Run, value: string): Promise<boolean> {
    const reply = await this.#call('tags of runs', 'runs/set-tag', { run_id: run.id, key: 'note', value });
    if (reply === undefined) run.tag.mayBe(value);
    else run.tag.is(value);
    return reply !== undefined;
  }

  async #upload(run: Run, path: string): Promise<boolean> {
    const bytes = Buffer.alloc(30_000, `${this.#name} ${path} ${this.#shared.random()}`);
    const url = this.#artifact(run, path);
    const reply = this.#heard('artifacts of runs', await this.#shared.ask(url, { method: 'PUT', body: bytes }));
    if (reply !== undefined) run.artifacts.set(path, hashOf(bytes));
    return reply !== undefined;
  }

  #artifact({ id }: Run, path: string): string {
    return `${this.#shared.url}/api/2.0/mlflow-artifacts/artifacts/0/${id}/artifacts/${path}`;
  }

  async #call<Body>(what: string, path: string, body: object): Promise<Reply<Body> | undefined> {
    const url = `${this.#shared.url}/api/2.0/mlflow/${path}`;
    return this.#heard(what, await this.#shared.ask<Body>(url, { method: 'POST', body }));
  }

  /** The reply when it acknowledges. */
  #heard<Body>(what: string, reply: Reply<Body> | undefined): Reply<Body> | undefined {
    const isDone = reply?.status === 200;
    this.#shared.count(isDone ? what : 'not acknowledged');
    if (!isDone && reply !== undefined && reply.status !== 503)
      this.#shared.failures.push(`${what}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return isDone ? reply : undefined;
  }

  async verify(): Promise<void> {
    for (const run of this.#runs.slice(-2)) await this.#look(run);
  }

  async #look(run: Run): Promise<void> {
    const { url, failures, ask } = this.#shared;
    const history = await ask<{ metrics?: { step: number }[] }>(
      `${url}/api/2.0/mlflow/metrics/get-history?run_id=${run.id}&metric_key=loss`,
    );
    if (!isAnswer(history)) return;
    const logged = new Set((history.body.metrics ?? []).map(({ step }) => Number(step)));
    for (const step of run.steps)
      if (!logged.has(step)) failures.push(`step ${step} of run ${run.id} is lost (${history.status})`);
    const told = await ask<{ run?: { data: { tags?: { key: string; value: string }[] } } }>(
      `${url}/api/2.0/mlflow/runs/get?run_id=${run.id}`,
    );
    if (!isAnswer(told)) return;
    const wrong = run.tag.read(told.body.run?.data.tags?.find(({ key }) => key === 'note')?.value);
    if (wrong !== undefined) failures.push(`the tag of run ${run.id} ${wrong}`);
    for (const [path, hash] of [...run.artifacts].slice(-3)) {
      const bytes = await this.#bytesOf(this.#artifact(run, path));
      if (bytes !== undefined && hashOf(bytes) !== hash)
        failures.push(`artifact ${path} of run ${run.id} is not what was sent`);
    }
  }

  async #bytesOf(url: string): Promise<Uint8Array | undefined> {
    const { authorization } = this.#shared;
    try {
      const response = await fetch(url, { headers: { ...(authorization !== undefined && { authorization }) } });
      return response.status === 503 ? undefined : new Uint8Array(await response.arrayBuffer());
    } catch {
      return undefined; // The server, or what it reads from, is away.
    }
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runIngot } from '../command.ts';
import type { Answers } from './answers.ts';
import { type Shared, writePackage } from './model-client.ts';

const NAME = 'steady';
const PATH = `/api/v1/models/${NAME}`;

/** A question whose right answer is known. */
interface Known {
  readonly what: string;
  /** Whether it is answered from the index alone, so also while the bucket is away. */
  readonly isIndexed: boolean;
  readonly path: string;
  readonly isRight: (body: unknown) => boolean;
}

/** Reads a model that nobody changes: every answer is known. */
export class SteadyReader {
  readonly #answers: Answers;
  readonly #failures: string[];
  readonly #known: readonly Known[];
  /** Answers from the index while the bucket was away. */
  readWithoutBucket = 0;
  /** Files that came whole. */
  downloads = 0;
  /** Files that ended before their end, and said so. */
  cut = 0;

  private constructor(answers: Answers, failures: string[], known: readonly Known[]) {
    this.#answers = answers;
    this.#failures = failures;
    this.#known = known;
  }

  /** Pushes two versions and an alias. */
  static async make(shared: Shared, env: Readonly<Record<string, string>>, answers: Answers): Promise<SteadyReader> {
    const hashes: string[] = [];
    for (const words of [['--alias', 'production'], []]) {
      const { path, print } = writePackage(shared, 300_000);
      const { status, stderr } = await runIngot(['push', path, '--name', NAME, ...words], {
        cwd: shared.directory,
        env,
      });
      if (status !== 0) throw new Error(`the push of ${NAME}: ${stderr}`);
      hashes.push(hashOf(readFileSync(join(path, 'model.bin'))));
      shared.versions.set(`${NAME}:${hashes.length}`, print);
    }
    const first = await answers.ask<{ manifest: string }>(`${shared.url}${PATH}/versions/1`);
    const model = await answers.ask<{ id: string }>(`${shared.url}${PATH}`);
    const facts = { manifest: first?.body.manifest ?? '', id: model?.body.id ?? '', hash: hashes[0] ?? '' };
    return new SteadyReader(answers, shared.failures, questions(facts));
  }

  /** Asks one of the questions. */
  async turn(url: string, random: () => number, isBucketAway: () => boolean): Promise<void> {
    const known = this.#known[Math.floor(random() * this.#known.length)];
    if (known === undefined) return;
    if (!known.isIndexed) return this.#download(url, known);
    const reply = await this.#answers.ask<unknown>(`${url}${known.path}`);
    if (reply === undefined) return;
    if (reply.status === 503) {
      if (isBucketAway()) this.#failures.push(`${known.what} needs the bucket: ${JSON.stringify(reply.body)}`);
    } else if (reply.status !== 200 || !known.isRight(reply.body))
      this.#failures.push(`${known.what}: ${reply.status} ${JSON.stringify(reply.body).slice(0, 500)}`);
    else if (isBucketAway()) this.readWithoutBucket += 1;
  }

  /** A body that has begun may be cut, and then is short; it is never another one. */
  async #download(url: string, { path, what, isRight }: Known): Promise<void> {
    const began = performance.now();
    const got = await this.#answers.file(`${url}${path}`);
    this.#answers.took(performance.now() - began, what);
    if (got === 'cut') this.cut += 1;
    else if (got instanceof Uint8Array && isRight(hashOf(got))) this.downloads += 1;
    else if (got instanceof Uint8Array) this.#failures.push(`${what}: ${got.byteLength} other bytes`);
  }
}

function questions({ manifest, id, hash }: { manifest: string; id: string; hash: string }): readonly Known[] {
  const known = (what: string, path: string, isRight: Known['isRight']): Known => ({
    what,
    path,
    isRight,
    isIndexed: true,
  });
  const mlflow = '/api/2.0/mlflow';
  const filter = encodeURIComponent(`name = '${NAME}'`);
  return [
    known('an alias', `${PATH}/aliases/production`, (body) => field(body, 'number') === 1),
    known('a reference', `/api/v1/resolve?ref=${NAME}@production`, (body) => field(body, 'manifest') === manifest),
    known('a version', `${PATH}/versions/1`, (body) => field(body, 'manifest') === manifest),
    known('a list of versions', `${PATH}/versions`, (body) => lengthOf(field(body, 'items')) === 2),
    known('a search', `/api/v1/versions?filter=${filter}`, (body) => lengthOf(field(body, 'items')) === 2),
    known(
      'an alias over MLflow',
      `${mlflow}/registered-models/alias?name=${NAME}&alias=production`,
      (body) => field(field(body, 'model_version'), 'version') === '1',
    ),
    known(
      'a search over MLflow',
      `${mlflow}/model-versions/search?filter=${filter}`,
      (body) => lengthOf(field(body, 'model_versions')) === 2,
    ),
    {
      what: 'a file',
      path: `/api/2.0/mlflow-artifacts/artifacts/versions/${id}/1/package/model.bin`,
      isIndexed: false,
      isRight: (digest) => digest === hash,
    },
  ];
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

const lengthOf = (value: unknown): number => (Array.isArray(value) ? value.length : -1);

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

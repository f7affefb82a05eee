import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runIngot } from '../command.ts';
import type { ask, Reply } from './ask.ts';
import { type AliasAction, type AliasAnswer, History, type NumberAction, NUMBERS } from './histories.ts';
import { isLinearizable, type Operation } from './linearizable.ts';
import { areMovesExplained } from './lost-moves.ts';
import { writePackage } from './model-client.ts';

/** What the clients of a contested model share. */
export interface Together {
  readonly cwd: string;
  readonly url: string;
  readonly clock: () => number;
  readonly failures: string[];
  /** How the servers are asked. */
  readonly ask: typeof ask;
  /** Variables of the command that pushes. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A model that many clients write to at once, and the history of its alias and its numbers. */
export class Contested {
  readonly #path: string;
  readonly #draft: object;
  readonly #failures: string[];
  readonly #alias: History<AliasAction, AliasAnswer>;
  readonly #numbers: History<NumberAction, number>;
  readonly #name: string;
  readonly #ask: typeof ask;
  #seen: number | null = null;
  published = 0;
  moved = 0;
  refused = 0;
  reads = 0;
  unanswered = 0;

  private constructor(name: string, draft: object, { clock, failures, ask: asking }: Together) {
    this.#ask = asking;
    this.#name = name;
    this.#path = `/api/v1/models/${name}`;
    this.#draft = draft;
    this.#failures = failures;
    this.#alias = new History(clock);
    this.#numbers = new History(clock);
  }

  /** Pushes a first version, which all others have the contents of. */
  static async make(name: string, together: Together): Promise<Contested> {
    const { cwd, url, env = {} } = together;
    const { path } = writePackage({ directory: `${cwd}/${name}`, random: Math.random, attempted: new Set() });
    const { status, stderr } = await runIngot(['push', path, '--name', name], {
      cwd,
      env: { ...env, INGOT_REGISTRY: url },
    });
    if (status !== 0) throw new Error(`the first push to ${name}: ${stderr}`);
    const reply = await together.ask<Record<string, unknown>>(`${url}/api/v1/models/${name}/versions/1`);
    const { manifest, recipe, sizeBytes, fileCount, flavor, scan } = reply?.body ?? {};
    const made = new Contested(name, { manifest, recipe, sizeBytes, fileCount, flavor, scan }, together);
    await made.#numbers.record('publish', async () => 1);
    return made;
  }

  /** One operation of one client; false: it came to nothing. */
  async turn(url: string, random: () => number): Promise<boolean> {
    const chance = random();
    if (chance < 0.2) return await this.#readAlias(url);
    if (chance < 0.4) return await this.#readNewest(url);
    const number = await this.#publish(url);
    if (number === undefined) return false;
    // Half of the moves say where they start.
    return await this.#move(url, number, chance < 0.7 ? this.#seen : undefined);
  }

  /** Moves another alias, of which nothing is recorded; false: it came to nothing. */
  async probe(url: string): Promise<boolean> {
    const reply = await this.#ask(`${url}${this.#path}/aliases/probe`, { method: 'PUT', body: { number: 1 } });
    return reply?.status === 200;
  }

  async #publish(url: string): Promise<number | undefined> {
    const number = await this.#numbers.record('publish', async () => {
      const body = { draft: this.#draft, always: true };
      const reply = await this.#ask<{ version: { number: number } }>(`${url}${this.#path}/versions`, {
        method: 'POST',
        body,
      });
      return this.#isAnswer(reply, [201]) ? reply.body.version.number : undefined;
    });
    if (number !== undefined) this.published += 1;
    return number;
  }

  async #readNewest(url: string): Promise<boolean> {
    const number = await this.#numbers.record('read', async () => {
      const reply = await this.#ask<{ number: number }>(`${url}/api/v1/resolve?ref=${this.#name}`);
      return this.#isAnswer(reply, [200]) ? reply.body.number : undefined;
    });
    this.reads += 1;
    return number !== undefined;
  }

  async #readAlias(url: string): Promise<boolean> {
    const answer = await this.#alias.record({ kind: 'read' }, async () => {
      const reply = await this.#ask<{ number: number }>(`${url}${this.#path}/aliases/production`);
      if (!this.#isAnswer(reply, [200, 404])) return undefined;
      return { kind: 'value', value: reply.status === 404 ? null : reply.body.number };
    });
    this.reads += 1;
    if (answer?.kind === 'value') this.#seen = answer.value;
    return answer !== undefined;
  }

  async #move(url: string, to: number, expected: number | null | undefined): Promise<boolean> {
    const answer = await this.#alias.record(
      { kind: 'set', to, ...(expected !== undefined && { expected }) },
      async () => {
        const body = { number: to, ...(expected !== undefined && { expected }) };
        const reply = await this.#ask<{ from: number | null }>(`${url}${this.#path}/aliases/production`, {
          method: 'PUT',
          body,
        });
        if (!this.#isAnswer(reply, [200, 409])) return undefined;
        return reply.status === 409 ? { kind: 'conflict' } : { kind: 'moved', from: reply.body.from };
      },
    );
    if (answer?.kind === 'moved') {
      this.moved += 1;
      this.#seen = to;
    }
    if (answer?.kind === 'conflict') this.refused += 1;
    return answer !== undefined;
  }

  #isAnswer<Body>(reply: Reply<Body> | undefined, expected: readonly number[]): reply is Reply<Body> {
    if (reply !== undefined && expected.includes(reply.status)) return true;
    this.unanswered += 1;
    if (reply !== undefined && reply.status !== 503)
      this.#failures.push(`${this.#name}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return false;
  }

  /** What no order explains. */
  check(): string[] {
    return [
      ...(isLinearizable(told(this.#numbers.operations), NUMBERS)
        ? []
        : [`no order explains the numbers of ${this.#name}`]),
      ...(areMovesExplained(this.#alias.operations)
        ? []
        : [`no order explains the moves of ${this.#name}@production: ${kept(this.#name, this.#alias.operations)}`]),
    ];
  }
}

/** Without reads that were not answered: they change nothing and say nothing. */
function told(operations: readonly Operation<NumberAction, number>[]): readonly Operation<NumberAction, number>[] {
  return operations.filter(({ action, answer }) => action === 'publish' || answer !== undefined);
}

/** Writes a history down for whoever looks into it; gives where. */
function kept(name: string, history: readonly Operation<AliasAction, AliasAnswer>[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'ingot-history-')), `${name}.json`);
  writeFileSync(path, JSON.stringify(history, undefined, 1));
  return path;
}

/** A clock that never gives the same number twice. */
export function counter(): () => number {
  let last = 0;
  return () => {
    last += 1;
    return last;
  };
}

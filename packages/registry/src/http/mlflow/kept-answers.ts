import { isIngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { ModelIndex } from '../../index/indexed-registry.ts';

const ANSWERS_KEPT = 500;

/**
 * Answers about models, each kept until something of its model changes, so that what is asked most often (who is
 * `churn@production`?) is no question to the database. Memory is that of the models that the index keeps.
 */
export class KeptAnswers<Answer> {
  readonly #answers = new WeakMap<object, Map<string, Answer>>();

  /** Gives the answer to a question about the model that has a name now; `read` is asked where none is kept, and what it throws is not kept. */
  async answer(
    index: Pick<ModelIndex, 'markOf'>,
    name: ModelName,
    question: string,
    read: () => Promise<Answer>,
  ): Promise<Answer> {
    const mark = await markOf(index, name);
    if (mark === undefined) return read();
    const kept = this.#answers.get(mark) ?? new Map<string, Answer>();
    const known = kept.get(question);
    if (known !== undefined) return known;
    const answer = await read();
    if (kept.size >= ANSWERS_KEPT) kept.clear();
    kept.set(question, answer);
    this.#answers.set(mark, kept);
    return answer;
  }
}

/** What has no mark is read: that says in its own words what is wrong. */
async function markOf(index: Pick<ModelIndex, 'markOf'>, name: ModelName): Promise<object | undefined> {
  try {
    return await index.markOf(name);
  } catch (error) {
    if (isIngotError(error)) return undefined;
    throw error;
  }
}

import { isIngotError } from '@ingot/core/errors';
import { expect } from 'vitest';
import type { Database } from '../../database/database.ts';
import { evaluate } from '../evaluate.ts';
import { factsOf } from '../facts.ts';
import { planOf } from '../plan.ts';
import { searchVersions } from '../search-versions.ts';
import { compareBy } from '../sort.ts';
import { type Filled, WORDS } from './fill-index.ts';
import { type Chance, chanceOf } from './random.ts';

const TEXTS = [
  'name',
  'label',
  'status',
  'stage',
  'flavor',
  'author',
  'description',
  'run',
  'branch',
  'publisher',
  'alias',
  'package',
  'data',
  'data.name',
  'data.source',
  'parent',
  'file',
  'tags.team',
  'tags."data set"',
  'tags.none',
  'params.rate',
  'params.depth',
  'params.nested.deep',
];
const NUMBERS = [
  'version',
  'files',
  'metrics.auc',
  'metrics.loss.val',
  'params.depth',
  'params.rate',
  'params.nested.deep',
  'size',
];
const TIMES = ['published', 'updated', 'made'];
const HASHES = ['digest', 'manifest', 'commit', 'data.digest'];
const SORTS = [
  'name',
  'version',
  'label',
  'stage',
  'author',
  'metrics.auc',
  'params.nested.deep',
  'params.rate',
  'tags.team',
  'package:numpy',
  'published',
  'made',
  'dirty',
  'size',
];

/** Checks with random searches that the database and the evaluator find the same, in the same order, over pages. */
export async function checkAgreement(
  database: Database,
  filled: readonly Filled[],
  { rounds, seed, now }: { readonly rounds: number; readonly seed: number; readonly now: Date },
): Promise<void> {
  const chance = chanceOf(seed);
  const all = filled.map((each) => ({
    ...each.record,
    facts: factsOf(each.record, { updatedAt: each.updatedAt, files: each.files }),
  }));
  let hits = 0;
  for (let round = 0; round < rounds; round += 1) {
    const filter = expressionBy(chance, 3);
    const sort = `${chance.pick(SORTS)} ${chance.pick(['asc', 'desc'])}, ${chance.pick(SORTS)}`;
    const plan = planOf({ filter, sort, now });
    const wanted = all
      .filter(({ status }) => plan.showsDeleted || status !== 'deleted')
      .filter(({ facts }) => plan.condition === undefined || evaluate(plan.condition, facts) === true)
      .sort(compareBy(plan.sort))
      .map(({ model, number }) => `${model}:${number}`);
    const limit = 1 + chance.below(60);
    expect(await pagesOf(database, { filter, sort, now, limit }), `${filter}  by ${sort}`).toEqual(wanted);
    hits += Number(wanted.length > 0 && wanted.length < all.length / 2);
  }
  // Searches that find everything or nothing would agree about anything.
  expect(hits).toBeGreaterThan(rounds / 5);
}

async function pagesOf(
  database: Database,
  search: { readonly filter: string; readonly sort: string; readonly now: Date; readonly limit: number },
): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page = await searchVersions(database, { ...search, cursor, readable: undefined });
    found.push(...page.items.map(({ model, number }) => `${model}:${number}`));
    cursor = page.next;
  }
  return found;
}

function expressionBy(chance: Chance, depth: number): string {
  for (;;) {
    const text = joinBy(chance, depth);
    try {
      planOf({ filter: text, sort: undefined, now: new Date() });
      return text;
    } catch (error) {
      // A pattern or value that a field does not take: another one.
      if (!isIngotError(error, 'usage')) throw error;
    }
  }
}

function joinBy(chance: Chance, depth: number): string {
  const roll = chance.next();
  if (depth === 0 || roll < 0.45) return testBy(chance);
  if (roll < 0.6) return `NOT (${joinBy(chance, depth - 1)})`;
  return `(${joinBy(chance, depth - 1)} ${chance.pick(['AND', 'OR', ''])} ${joinBy(chance, depth - 1)})`;
}

function testBy(chance: Chance): string {
  const { pick, below, next } = chance;
  const order = pick(['=', '!=', '<', '<=', '>', '>=']);
  const roll = next();
  if (roll < 0.08) return `${pick([...TEXTS, ...NUMBERS, ...TIMES, ...HASHES])} IS ${pick(['', 'NOT '])}NULL`;
  if (roll < 0.18)
    return `${pick([...TEXTS, ...HASHES, 'package:numpy'])} ${pick(['LIKE', 'ILIKE'])} ${patternBy(chance)}`;
  if (roll < 0.26) return quoted(pick([...WORDS, 'Churn', 'card', 'team']).slice(0, 1 + below(5)));
  if (roll < 0.36) return `${pick(TEXTS)} ${pick(['IN', 'NOT IN'])} (${textBy(chance)}, ${textBy(chance)})`;
  if (roll < 0.6) return `${pick(TEXTS)} ${order} ${textBy(chance)}`;
  if (roll < 0.8) return `${pick(NUMBERS)} ${order} ${pick(['0', '1', '2', '2.5', '0.3', '1e3', '10', '3000'])}`;
  if (roll < 0.88)
    return `${pick(TIMES)} ${order} ${pick(['2026', '2026-05', '2026-05-14', '2026-05-14T10:00:00Z', '-90d'])}`;
  if (roll < 0.94) return `${pick(HASHES)} ${pick(['=', '!='])} ${pick(['4f1c', 'beef', 'sha256:ca97', '3e23'])}`;
  if (roll < 0.97)
    return `package:${pick(['numpy', 'SciKit.learn', 'x'])} ${order} ${pick(['1.5', '2.0', '1.26.4', '2.0rc1'])}`;
  return `${pick(['dirty', 'executes_code'])} ${pick(['=', '!='])} ${pick(['true', 'false'])}`;
}

const VALUES = [
  'churn',
  'production',
  'b',
  'active',
  'Production',
  'sklearn',
  'r1',
  'customers',
  'numpy',
  'churn:1',
  'f0',
  '1.10',
  'deleted',
  'fast',
];

function textBy({ pick, next }: Chance): string {
  return quoted(next() < 0.6 ? pick(VALUES) : pick(WORDS));
}

function patternBy({ pick, below }: Chance): string {
  const word = pick([...VALUES, ...WORDS, 'CHURN']);
  return quoted(
    pick([
      `%${word.slice(1)}`,
      `${word.slice(0, 1 + below(3))}%`,
      word.replace(/.$/u, '_'),
      '%',
      '_%_',
      '%a%b%',
      '[a-z]%',
    ]),
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

import type { Kysely } from 'kysely';
import { parsePolicies, type PolicyDocument, readPolicies } from './policy.ts';
import type { GovernanceTables } from './tables.ts';

/** What policies are kept with. */
export interface PolicyStoreOptions {
  readonly own: Kysely<GovernanceTables>;
  readonly now: () => Date;
  /** Names of facts that conditions may ask for besides those of search. Default: none. */
  readonly sources?: readonly string[];
}

/** Keeps the policies in the server's own tables. They are read for each move: another server may have changed them. */
export class PolicyStore {
  readonly #options: PolicyStoreOptions;

  constructor(options: PolicyStoreOptions) {
    this.#options = options;
  }

  /** All policies, by scope. */
  async read(): Promise<PolicyDocument> {
    const rows = await this.#options.own.selectFrom('governance_policies').selectAll().orderBy('scope').execute();
    const policies = Object.fromEntries(
      rows.map(({ scope, policy }): [string, unknown] => [scope, JSON.parse(policy)]),
    );
    return readPolicies({ policies });
  }

  /**
   * Sets all policies, in place of those that there are.
   * @throws IngotError `invalid-request` for what is no policy; then nothing has changed.
   */
  async replace(value: unknown, actor: string): Promise<PolicyDocument> {
    const { own, now, sources = [] } = this.#options;
    const document = parsePolicies(value, { now: now(), sources });
    const rows = Object.entries(document.policies).map(([scope, policy]) => ({
      scope,
      policy: JSON.stringify(policy),
      updated_at: now().toISOString(),
      updated_by: actor,
    }));
    await own.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('governance_policies').execute();
      if (rows.length > 0) await transaction.insertInto('governance_policies').values(rows).execute();
    });
    return document;
  }
}

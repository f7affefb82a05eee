import { hostname } from 'node:os';
import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { Log } from '../services.ts';
import type { SecretBox } from './secret-box.ts';
import type { SecretKeyRow, WebhookTables } from './tables.ts';

/** What servers over one database agree with. */
export interface KeyAgreementOptions {
  readonly own: Kysely<WebhookTables>;
  readonly box: Pick<SecretBox, 'fingerprint' | 'path' | 'hasSealed'>;
  readonly log: Log;
  readonly now: () => Date;
  /** Name of this machine. Default: as the system says. */
  readonly host?: string;
}

const ONE = 'secrets.key';

/**
 * Makes sure that all servers over a database seal secrets with one key. The database keeps a fingerprint of it, which
 * only who has the key can make, and where its file lies.
 */
export class KeyAgreement {
  readonly #options: KeyAgreementOptions;
  readonly #place: string;

  constructor(options: KeyAgreementOptions) {
    this.#options = options;
    this.#place = `${options.host ?? hostname()}:${options.box.path}`;
  }

  /**
   * Compares keys at the start. One that nobody has sealed anything with is replaced.
   * @throws IngotError `invalid-config` when secrets are sealed with a key that lies elsewhere.
   */
  async begin(): Promise<void> {
    const { own, box, log } = this.#options;
    const row = this.#row();
    await own
      .insertInto('secret_keys')
      .values(row)
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const agreed = await this.#agreed();
    const { fingerprint, place } = agreed ?? row;
    const isForeign = await this.#hasForeignSecrets();
    if (fingerprint === box.fingerprint && !isForeign) return;
    if (isForeign && place !== this.#place) throw this.#refusal(place);
    await own
      .updateTable('secret_keys')
      .set(row)
      .where('name', '=', ONE)
      .where('fingerprint', '=', fingerprint)
      .execute();
    const lost = isForeign ? ': secrets of webhooks have to be set anew' : '';
    log('warn', `${box.path} is not the key that was used before${lost}`);
  }

  /**
   * To be called before something is sealed: another server may have brought a key since.
   * @throws IngotError `conflict` when another key counts now.
   */
  async check(): Promise<void> {
    const agreed = await this.#agreed();
    if (agreed === undefined || agreed.fingerprint === this.#options.box.fingerprint) return;
    const { code: _, message, hint } = this.#refusal(agreed.place);
    throw new IngotError('conflict', message, { hint });
  }

  async #agreed(): Promise<SecretKeyRow | undefined> {
    return this.#options.own.selectFrom('secret_keys').selectAll().where('name', '=', ONE).executeTakeFirst();
  }

  #row(): SecretKeyRow {
    const { box, now } = this.#options;
    return { name: ONE, fingerprint: box.fingerprint, place: this.#place, at: now().toISOString() };
  }

  async #hasForeignSecrets(): Promise<boolean> {
    const { own, box } = this.#options;
    const rows = await own.selectFrom('webhooks').select('secret').where('secret', 'is not', null).execute();
    return rows.some(({ secret }) => secret !== null && !box.hasSealed(secret));
  }

  #refusal(place: string): IngotError {
    const { path } = this.#options.box;
    const from = place === this.#place ? 'the server that sealed them' : place;
    return new IngotError('invalid-config', `${path} is not the key that secrets in this database are sealed with`, {
      hint: `copy ${from} to ${path}`,
      details: { place, path },
    });
  }
}

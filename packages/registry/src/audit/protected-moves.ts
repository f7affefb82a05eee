/**
 * Moves of protected aliases that were made past the server: with a key to the bucket, and without the approvals that
 * the alias needs. Such a move is flagged and not followed, until somebody who may says that it counts.
 */

import { IngotError } from '@ingot/core/errors';
import type { StoredEvent } from '@ingot/core/registry/events';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { AccessLog } from './access-log.ts';
import type { AuditTables, ForeignMoveRow } from './tables.ts';
import type { WrittenEvents } from './written-events.ts';

/** What is asked about moves. */
export interface ProtectedMovesOptions {
  readonly own: Kysely<AuditTables>;
  readonly index: Kysely<IndexTables>;
  readonly written: Pick<WrittenEvents, 'has'>;
  readonly accessLog: Pick<AccessLog, 'record'>;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** Says whether an alias of a model is protected. */
export type IsProtected = (modelId: string, alias: string) => boolean | Promise<boolean>;

/** Watches over protected aliases. */
export class ProtectedMoves {
  readonly #options: ProtectedMovesOptions;
  readonly #held = new Map<string, Held>();
  /** What is noted of moves: flagged, or accepted. Notes are added and become accepted, and never go. */
  #states: ReadonlyMap<string, string> = new Map();
  /** Models that were told of at the last look. */
  readonly #told = new Set<string>();
  #onShown: (modelId: string) => void = () => {};
  #isProtected: IsProtected = () => false;

  constructor(options: ProtectedMovesOptions) {
    this.#options = options;
  }

  /** Sets what says which aliases are protected. Default: none is. */
  protect(isProtected: IsProtected): void {
    this.#isProtected = isProtected;
  }

  /** Reads which moves are not followed; models of which that changes answers are told. */
  async load(): Promise<void> {
    const rows = await this.#options.own
      .selectFrom('audit_foreign_moves')
      .select(['model_id', 'alias', 'seq', 'from_number', 'state'])
      .orderBy('seq', 'desc')
      .execute();
    const known = this.#states;
    this.#states = new Map(rows.map((row) => [`${row.model_id} ${row.seq}`, row.state]));
    this.#held.clear();
    // The first flagged move after the last that counted says what the alias named before.
    for (const { model_id: modelId, alias, seq, from_number: number } of rows.filter(
      ({ state }) => state === 'flagged',
    ))
      this.#held.set(keyOf(modelId, alias), { modelId, alias, number, seq });
    const changed = rows.filter(({ model_id, seq, state }) => known.get(`${model_id} ${seq}`) !== state);
    for (const { model_id } of changed) this.#tell(model_id);
  }

  /**
   * Reads what other servers over the database have flagged, or let count. What was flagged and let count since the last
   * look changes nothing that is held, but what was answered meanwhile: so all that was noted counts, not what is held.
   */
  async refresh(): Promise<void> {
    // Who noted it may have changed the rows of the index only afterwards.
    const told = [...this.#told];
    this.#told.clear();
    for (const modelId of told) this.#onShown(modelId);
    const { flagged, accepted } = await this.#counts();
    const isKnown = (state: string, count: number): boolean =>
      [...this.#states.values()].filter((known) => known === state).length === count;
    if (!isKnown('flagged', flagged) || !isKnown('accepted', accepted)) await this.load();
  }

  #tell(modelId: string): void {
    this.#told.add(modelId);
    this.#onShown(modelId);
  }

  async #counts(): Promise<{ readonly flagged: number; readonly accepted: number }> {
    const rows = await this.#options.own
      .selectFrom('audit_foreign_moves')
      .select(({ fn }) => ['state', fn.countAll<number | string>().as('count')])
      .groupBy('state')
      .execute();
    const of = (state: string): number => Number(rows.find((row) => row.state === state)?.count ?? 0);
    return { flagged: of('flagged'), accepted: of('accepted') };
  }

  /**
   * Makes the rows of aliases in the index say what is followed, so that listing and searching say it too.
   * @param onShown from now on told of each model whose rows were changed.
   */
  async show(onShown: (modelId: string) => void): Promise<void> {
    this.#onShown = onShown;
    for (const { modelId, alias } of [...this.#held.values()]) await this.#show(modelId, alias);
  }

  /**
   * What a protected alias goes on to name though the log says otherwise; null: nothing. Undefined: what the log says
   * counts. A look into memory: resolving asks it each time.
   */
  heldTarget(modelId: string, alias: string): number | null | undefined {
    return this.#held.size === 0 ? undefined : this.#held.get(keyOf(modelId, alias))?.number;
  }

  /** Whether no move is flagged, which is so nearly always. */
  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** What the protected aliases of a model go on to name. */
  heldOf(modelId: string): [alias: string, number: number | null][] {
    const ofModel = [...this.#held.values()].filter((held) => held.modelId === modelId);
    return ofModel.map(({ alias, number }) => [alias, number]);
  }

  /** Notes, on the disk before it is done, that this server is about to move a protected alias. Gives the note's id. */
  async intend(modelId: string, alias: string, to: number | null): Promise<string> {
    const { own, now, random } = this.#options;
    const id = Buffer.from(random(12)).toString('hex');
    const row = { id, model_id: modelId, alias, to_number: to, at: now().toISOString() };
    await own.insertInto('audit_intended_moves').values(row).execute();
    return id;
  }

  /** Takes back a note: the move is among the events that this server wrote, or was never made. */
  async withdraw(id: string): Promise<void> {
    await this.#options.own.deleteFrom('audit_intended_moves').where('id', '=', id).execute();
  }

  /** Looks at an event that was just projected from a model's log: flags a move that no server made. */
  async observe(modelId: string, event: StoredEvent): Promise<void> {
    const move = moveOf(event);
    if (move === undefined || !(await this.#isProtected(modelId, move.alias))) return;
    const { head, digest } = event;
    if (await this.#options.written.has(`models/${modelId}`, head.seq, digest))
      return this.#follow(modelId, move.alias);
    if (await this.#wasIntended(modelId, move)) return this.#follow(modelId, move.alias);
    const held = this.heldTarget(modelId, move.alias);
    const row: ForeignMoveRow = {
      model_id: modelId,
      alias: move.alias,
      seq: head.seq,
      digest,
      actor: head.actor,
      at: head.at,
      from_number: held === undefined ? await this.#before(modelId, move.alias, head.seq) : held,
      to_number: move.to,
      state: 'flagged',
    };
    const { own, accessLog } = this.#options;
    const inserted = await own
      .insertInto('audit_foreign_moves')
      .values(row)
      .onConflict((conflict) => conflict.columns(['model_id', 'seq']).doNothing())
      .executeTakeFirst();
    if (Number(inserted.numInsertedOrUpdatedRows ?? 0) > 0)
      accessLog.record({
        kind: 'protected-move-flagged',
        actor: head.actor,
        details: { model_id: modelId, alias: move.alias, seq: head.seq, from: row.from_number, to: move.to },
      });
    await this.load();
    await this.#show(modelId, move.alias);
  }

  /** Moves that are flagged, newest first. */
  async flagged(): Promise<ForeignMoveRow[]> {
    return this.#options.own
      .selectFrom('audit_foreign_moves')
      .selectAll()
      .where('state', '=', 'flagged')
      .orderBy('at', 'desc')
      .limit(1000)
      .execute();
  }

  /** Says that what an alias names by the log counts after all. Throws `not-found` when nothing of it is flagged. */
  async accept(modelId: string, alias: string): Promise<void> {
    await this.refresh();
    if (this.heldTarget(modelId, alias) === undefined)
      throw new IngotError('not-found', `no move of "${alias}" is flagged`);
    await this.#follow(modelId, alias);
  }

  // What the event itself says of it was written by whoever is not trusted here.
  async #before(modelId: string, alias: string, seq: number): Promise<number | null> {
    return (await lastMove(this.#options.index, { modelId, alias, before: seq }))?.to_number ?? null;
  }

  // A move through the server ends what was flagged before it.
  async #follow(modelId: string, alias: string): Promise<void> {
    // Another server may have flagged it a moment ago.
    await this.refresh();
    if (this.heldTarget(modelId, alias) === undefined) return;
    await this.#options.own
      .updateTable('audit_foreign_moves')
      .set({ state: 'accepted' })
      .where('model_id', '=', modelId)
      .where('alias', '=', alias)
      .execute();
    await this.load();
    await this.#show(modelId, alias);
  }

  async #show(modelId: string, alias: string): Promise<void> {
    const { index } = this.#options;
    await index.transaction().execute(async (change) => {
      // Whoever writes events of this log into the index has this row, and waits for it: no move comes in between.
      await change
        .updateTable('logs')
        .set(({ ref }) => ({ seq: ref('seq') }))
        .where('log', '=', modelId)
        .execute();
      const held = this.#held.get(keyOf(modelId, alias));
      const move = await lastMove(change, { modelId, alias, before: held?.seq });
      await change.deleteFrom('aliases').where('model_id', '=', modelId).where('alias', '=', alias).execute();
      const number = held === undefined ? move?.to_number : held.number;
      if (move === undefined || number === undefined || number === null) return;
      const { seq, at, actor } = move;
      await change.insertInto('aliases').values({ model_id: modelId, alias, number, seq, at, actor }).execute();
    });
    this.#onShown(modelId);
  }

  async #wasIntended(modelId: string, { alias, to }: Move): Promise<boolean> {
    const rows = await this.#options.own
      .selectFrom('audit_intended_moves')
      .selectAll()
      .where('model_id', '=', modelId)
      .where('alias', '=', alias)
      .execute();
    const intended = rows.find(({ to_number }) => to_number === to);
    if (intended === undefined) return false;
    // One intention allows one move.
    await this.#options.own.deleteFrom('audit_intended_moves').where('id', '=', intended.id).execute();
    return true;
  }
}

/** A move that is not followed: what the alias goes on to name, and the event that would have moved it. */
interface Held {
  readonly modelId: string;
  readonly alias: string;
  readonly number: number | null;
  readonly seq: number;
}

interface OfAlias {
  readonly modelId: string;
  readonly alias: string;
  /** Default: of all. */
  readonly before?: number | undefined;
}

async function lastMove(index: Kysely<IndexTables>, { modelId, alias, before }: OfAlias) {
  const moves = index
    .selectFrom('alias_moves')
    .select(['seq', 'to_number', 'at', 'actor'])
    .where('model_id', '=', modelId)
    .where('alias', '=', alias);
  return (before === undefined ? moves : moves.where('seq', '<', before))
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
}

interface Move {
  readonly alias: string;
  readonly to: number | null;
}

function moveOf({ head, body }: StoredEvent): Move | undefined {
  if ((head.kind !== 'alias-set' && head.kind !== 'alias-removed') || body === undefined) return undefined;
  const { alias, number } = body;
  return typeof alias === 'string' ? { alias, to: typeof number === 'number' ? number : null } : undefined;
}

function keyOf(modelId: string, alias: string): string {
  return `${modelId} ${alias}`;
}

import type { JsonObject } from '@ingot/core/json';
import type { Context, Result } from '../context.ts';
import { flaggedMoves } from '../flagged-moves.ts';
import { formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { formatTime } from '../output/units.ts';

/** `ingot audit flagged`: lists moves of protected aliases that were made past the server, and are not followed. */
export async function run(context: Context): Promise<Result> {
  const moves = await flaggedMoves(context);
  const { out } = context.terminal;
  const columns = ['MODEL', 'ALIAS', 'FROM', 'TO', 'BY (CLAIMED)', 'AT', 'EVENT'].map((title) => ({ title }));
  return {
    json: { moves },
    quiet: moves.map((move) => `${nameOf(move)}@${plain(String(move.alias))}`),
    human: () =>
      moves.length === 0 ? '' : formatTable(columns, moves.map(rowOf), { width: tableWidth(out), colors: out.colors }),
    notes:
      moves.length === 0
        ? ['no protected alias was moved past the server']
        : ['ingot audit accept NAME ALIAS lets it count; moving the alias through the server ends it, too'],
  };
}

function rowOf(move: JsonObject): string[] {
  const number = (value: unknown): string => (value === null ? 'nothing' : String(value));
  return [
    nameOf(move),
    plain(String(move.alias)),
    number(move.from),
    number(move.to),
    plain(String(move.actor)),
    formatTime(String(move.at)),
    String(move.seq),
  ];
}

function nameOf({ model, modelId }: JsonObject): string {
  return plain(String(model ?? modelId));
}

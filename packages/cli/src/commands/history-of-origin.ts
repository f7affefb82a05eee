import { collect } from '@ingot/core/blob/bytes';
import type { VersionOrigin } from '@ingot/core/capture';
import { IngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import { historyEntry } from '@ingot/core/registry/history-summary';
import { parseLog } from '@ingot/core/registry/log-documents';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { historyTable } from '../output/history-table.ts';
import { plain } from '../output/terminal.ts';

/** The history that a version brought along, as it was in the registry it came from; the chain is checked. */
export async function historyOfOrigin(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  const { signal } = context;
  await using store = await openStore(context);
  const version = await store.registry.version(reference, { signal });
  const origin = version.lineage?.origins?.at(-1);
  const named = `${version.model}:${version.number}`;
  if (origin?.history === undefined)
    throw new IngotError('not-found', withoutHistory(named, origin), {
      operation: 'history',
      hint: `ingot history ${version.model}`,
    });
  const recipe = await store.contents.openRecipe(version.recipe, { signal });
  const bytes = await collect(store.contents.read(recipe, origin.history, { signal }));
  const read = parseLog(bytes, `the history of ${named}`);
  const published = read.find(({ digest }) => digest === origin.event);
  if (published === undefined || (published.body !== undefined && published.body.manifest !== version.manifest))
    throw new IngotError('tampered', `the history that ${named} brought along does not tell of it`, {
      operation: 'history',
      details: { model: version.model, number: version.number },
    });
  const events = read.map(historyEntry);
  return {
    json: { model: version.model, number: version.number, origin, events },
    quiet: events.map((event) => event.digest),
    human: () => historyTable(events, context.terminal.out),
    notes: [
      plain(
        `${origin.model}:${origin.number} of ${origin.registry}, up to when it came here; every event follows the one before`,
      ),
    ],
  };
}

function withoutHistory(named: string, origin: VersionOrigin | undefined): string {
  if (origin === undefined) return `${named} was published here, and brought no history along`;
  const { model, number, registry } = origin;
  return `${named} came from ${model}:${number} of ${registry} by a way that brings no history; bundles and mirrors do`;
}

import { IngotError } from '../errors.ts';
import { parseAlias, parseLabel } from '../ref.ts';
import { appendTo, checkMetrics, moveAlias, updateVersion } from './log-writer.ts';
import type { ModelDirectory } from './model-directory.ts';
import { MAX_LEFT_OUT, type ModelState, type VersionEntry } from './model-fold.ts';
import { type KnownEvents, type OpenModel, readRecord } from './record.ts';
import type { AddedDraft, PublishOptions, Registry, VersionDraft } from './registry.ts';
import { labelled, latestVersion, numbered } from './select.ts';
import { publishedBody } from './version-body.ts';

/** Makes the `publish` of a registry. */
export function createPublisher(directory: ModelDirectory): Pick<Registry, 'publish'> {
  return {
    async publish(name, draft, options = {}) {
      checkDraft(draft, options);
      const model = await directory.open(name, { ...options, toWrite: true, lately: true });
      refuseOther(model, draft);
      const known: KnownEvents = new Map();
      // What is expected of the log held for the first event; the others follow it.
      const later = { ...options, expectedSeq: undefined };
      const { state, number, existed } = await publishOrFind(directory, model, draft, options, known);
      if (existed) await addTo({ ...model, state }, number);
      for (const alias of options.aliases ?? []) await moveAlias(directory, model, alias, number, later);
      const now = directory.opened(model, model.log.known ?? model);
      return { version: await readRecord(now, numbered(name, now.state, number), options, known), existed };

      // What is new about the same content: tags, metrics, and a label where it had none.
      async function addTo(found: OpenModel, of: number): Promise<void> {
        const changes = {
          ...(draft.tags ? { tags: draft.tags } : {}),
          ...(draft.metrics ? { metrics: draft.metrics } : {}),
          ...(draft.label !== undefined && draft.labelFrom === 'flag' ? { label: draft.label } : {}),
        };
        const reference = { name, selector: { kind: 'version', number: of } } as const;
        await updateVersion(directory, found, reference, changes, later, known);
      }
    },
  };
}

async function publishOrFind(
  directory: ModelDirectory,
  model: OpenModel,
  draft: VersionDraft | AddedDraft,
  options: PublishOptions,
  known: KnownEvents,
) {
  let found: VersionEntry | undefined;
  const { snapshot, event } = await appendTo(
    directory,
    model,
    (state) => {
      found = sameContent(state, draft);
      // What stands is kept by its own event, whatever became of the upload that stored it.
      if (found !== undefined) return undefined;
      if (draft.recipe === undefined || options.existingOnly === true) throw notNewest(model, state);
      refuseExpired(state, draft);
      const number = numberFor(model, state, options);
      const shadowed = labelIsTaken(model, state, draft);
      return { kind: 'version-published', body: publishedBody(draft, number, { shadowed }, options.reason) };
    },
    options,
  );
  if (event !== undefined) known.set(event.head.seq, event);
  const { state } = snapshot;
  return { state, number: found?.number ?? state.versions.length, existed: found !== undefined };

  function sameContent(
    state: ModelState,
    { manifest, label, labelFrom }: VersionDraft | AddedDraft,
  ): VersionEntry | undefined {
    const newest = latestVersion(state);
    if (newest?.manifest !== manifest || options.number !== undefined || options.always) return undefined;
    if (label !== undefined && labelFrom === 'flag' && newest.label !== label) refuseLabel(model, state, newest, label);
    return newest;
  }
}

function numberFor({ name }: OpenModel, state: ModelState, { number }: PublishOptions): number {
  const next = state.versions.length + 1;
  if (number === undefined) return next;
  if (Number.isSafeInteger(number) && number >= next && number - next <= MAX_LEFT_OUT) return number;
  const why = number < next ? `its next version is ${next}` : `at most ${MAX_LEFT_OUT} numbers may be left out`;
  throw new IngotError('conflict', `"${name}" cannot have version ${number} now: ${why}`, {
    details: { number, next },
  });
}

function notNewest({ name }: OpenModel, state: ModelState): IngotError {
  const newest = latestVersion(state)?.number ?? null;
  return new IngotError('conflict', `the newest version of "${name}" is another one now`, {
    hint: 'push again',
    details: { newest },
  });
}

// A version has one label: another one for the same content would be lost without a word.
function refuseLabel(model: OpenModel, state: ModelState, newest: VersionEntry, label: string): void {
  const holder = labelled(state, label);
  if (holder !== undefined) throw labelTaken(model, label, holder);
  if (newest.label === undefined || newest.labelShadowed) return;
  throw new IngotError(
    'conflict',
    `version ${newest.number} of "${model.name}" has this content already, with the label "${newest.label}"`,
    { hint: 'push it without --label', details: { number: newest.number, label: newest.label } },
  );
}

function labelIsTaken(model: OpenModel, state: ModelState, { label, labelFrom }: VersionDraft): boolean {
  const holder = label === undefined ? undefined : labelled(state, label);
  if (label === undefined || holder === undefined) return false;
  if (labelFrom === 'flag') throw labelTaken(model, label, holder);
  return true;
}

function labelTaken(model: OpenModel, label: string, holder: VersionEntry): IngotError {
  return new IngotError('label-taken', `version ${holder.number} of "${model.name}" has the label "${label}" already`, {
    hint: 'choose another --label, or leave it out: versions are numbered anyway',
    details: { label, number: holder.number },
  });
}

// A root protects an upload only while it can be given up in the log of the model that it names.
function refuseOther({ name, id }: OpenModel, { modelId }: VersionDraft | AddedDraft): void {
  if (modelId === undefined || modelId === id) return;
  throw new IngotError('conflict', `model "${name}" was deleted or renamed while this was pushed, and made again`, {
    hint: 'push again',
    details: { model: name },
  });
}

function refuseExpired(state: ModelState, { upload, recipe }: VersionDraft): void {
  const id = upload ?? recipe.pack.slice(0, Math.max(0, recipe.pack.indexOf('/')));
  if (!state.expiredUploads.includes(id)) return;
  throw new IngotError('conflict', 'this push took so long that what it had stored was given up as abandoned', {
    hint: 'push again',
    details: { upload: id },
  });
}

function checkDraft(draft: VersionDraft | AddedDraft, { aliases, always, existingOnly }: PublishOptions): void {
  if (always && (draft.recipe === undefined || existingOnly))
    throw new IngotError('usage', 'what is published always needs its recipe, and is never only added');
  for (const alias of aliases ?? []) parseAlias(alias);
  if (draft.label !== undefined) parseLabel(draft.label);
  checkMetrics(draft.metrics);
}

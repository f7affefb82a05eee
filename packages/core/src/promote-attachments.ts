import { collect } from './blob/bytes.ts';
import { isIngotError } from './errors.ts';
import type { LeavingVersion, TwoEnds } from './promote-bring.ts';
import type { CheckedHistory } from './promote-origin.ts';
import { readHistory } from './promote-origin.ts';
import { type Attachment, AttachmentFold, type AttachmentWriter } from './registry/attachments.ts';
import type { Registry } from './registry/registry.ts';
import { storeAttachment } from './store-attachment.ts';

/** Options of {@link bringAttachments}. */
export interface BringAttachmentsOptions extends TwoEnds {
  /** Why, for the history there. */
  readonly reason?: string;
  readonly signal?: AbortSignal | undefined;
}

/** What became of signatures, SBOMs and whatever else is attached to a version. */
export interface BroughtAttachments {
  /** How many were attached there now, and how many were. */
  readonly new: number;
  readonly there: number;
  /** How many stayed behind: a server at one end gives and takes them by the OCI API alone. */
  readonly left: number;
}

/**
 * Attaches in another registry what is attached to a version here, which is there under the same manifest already.
 * @throws IngotError as reading and storing do.
 */
export async function bringAttachments(
  { source, history }: LeavingVersion,
  { from, to, reason, signal }: BringAttachmentsOptions,
): Promise<BroughtAttachments> {
  const leaving = standingIn(history).filter(({ subject }) => subject === source.manifest);
  if (leaving.length === 0) return { new: 0, there: 0, left: 0 };
  const { registry, contents } = to;
  if (!canAttach(registry)) return { new: 0, there: 0, left: leaving.length };
  const before = standingIn(await readHistory(to, source.model, { signal }));
  const missing = leaving.filter(({ manifest }) => !before.some((there) => there.manifest === manifest));
  const options = { signal, ...(reason === undefined ? {} : { reason }) };
  let left = 0;
  for (const attachment of missing) {
    const arriving = await arrivingOf(attachment, { from, signal });
    if (arriving === undefined) left += 1;
    else {
      await storeAttachment(source.model, arriving, { registry, contents }, options);
      const [, ...tags] = attachment.tags;
      if (tags.length > 0) await tagAgain(source, attachment, tags, { registry, to, options });
    }
  }
  return { new: missing.length - left, there: leaving.length - missing.length, left };
}

/** Each further name is an event of its own over the same contents. */
async function tagAgain(
  { model }: LeavingVersion['source'],
  { manifest }: Attachment,
  tags: readonly string[],
  {
    registry,
    to,
    options,
  }: {
    readonly registry: AttachmentWriter;
    readonly to: TwoEnds['to'];
    readonly options: { readonly signal: AbortSignal | undefined; readonly reason?: string };
  },
): Promise<void> {
  const found = standingIn(await readHistory(to, model, options)).find((there) => there.manifest === manifest);
  if (found === undefined) return;
  const { tags: _, seq: __, at: ___, actor: ____, ...said } = found;
  for (const tag of tags) await registry.attach(model, { ...said, tag }, options);
}

/** Undefined: a server does not hand out what it is read from. */
async function arrivingOf(
  { tags: [tag], seq: _, at: __, actor: ___, recipe: ref, blobs, ...said }: Attachment,
  { from: { registry, contents }, signal }: Pick<TwoEnds, 'from'> & { readonly signal: AbortSignal | undefined },
) {
  const call = signal === undefined ? {} : { signal };
  try {
    const recipe = await contents.openRecipe(ref, call);
    const bytes = await collect(contents.read(recipe, said.manifest, call));
    const opened = blobs.map((blob) => ({ ...blob, open: () => contents.read(recipe, blob.content, call) }));
    return { said: tag === undefined ? said : { ...said, tag }, bytes, blobs: opened };
  } catch (error) {
    if (!canAttach(registry) && isIngotError(error, 'content-not-found', 'forbidden')) return undefined;
    throw error;
  }
}

function standingIn({ events }: Pick<CheckedHistory, 'events'>): readonly Attachment[] {
  const fold = new AttachmentFold();
  for (const event of events) fold.add(event, `event ${event.head.seq} of the history`);
  return fold.standing;
}

function canAttach(registry: Registry): registry is Registry & AttachmentWriter {
  return 'attach' in registry && 'detach' in registry;
}

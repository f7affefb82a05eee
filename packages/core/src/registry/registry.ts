/**
 * A *model* is a name; a *version* is an immutable numbered publication of one manifest; a *label* is the author's own
 * version text; an *alias* is a movable name for a version. A *registry* publishes, resolves, moves and tells history.
 */

import type { Capture, Lineage } from '../capture.ts';
import type { RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import type { ModelName, Reference } from '../ref.ts';
import type { Signature } from '../signature.ts';

/** What a publication says of a version. Becomes the body of its event. */
export interface VersionDraft {
  readonly manifest: Digest;
  readonly recipe: RecipeRef;
  /** Bytes of all files of the package. */
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** Built-in flavor: `python`, `sklearn`, `function`, `onnx`, `file`. */
  readonly flavor: string;
  /** The author's own version text, source text kept. */
  readonly label?: string;
  /** `flag`: a repeated label is refused. `metadata`: a repeated label is only kept as metadata. */
  readonly labelFrom?: 'flag' | 'metadata';
  readonly description?: string;
  readonly author?: string;
  readonly message?: string;
  /** When the model was made, where that was before it was published: an import keeps the time of the file. ISO 8601. */
  readonly createdAt?: string;
  /** Publishes it retired at once, so that it is never what `latest` means: an import adds what is older than the newest. */
  readonly retired?: boolean;
  readonly signature?: Signature;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly params?: JsonObject;
  readonly tags?: Readonly<Record<string, string>>;
  readonly lineage?: Lineage;
  readonly environment?: Capture['environment'];
  readonly serializer?: Capture['serializer'];
  /** Digest of the captured document, a content of the recipe. */
  readonly captured?: Digest;
  /** Until scanning exists every version says `not scanned`. */
  readonly scan: 'not scanned';
  /** Id of the upload that stored it; publishing is refused when that was given up as abandoned. Default: that of the recipe's pack. */
  readonly upload?: string;
  /**
   * Id of the model that the upload's root names; publishing is refused when the name means another model by now, whose
   * log would not tell that the upload was given up. Default: whatever model has the name.
   */
  readonly modelId?: string;
}

/** A draft that adds to a version which is there already, and publishes none. */
export interface AddedDraft extends Omit<VersionDraft, 'recipe'> {
  readonly recipe?: undefined;
}

/** A version as the log tells it now. */
export interface VersionRecord extends Omit<VersionDraft, 'labelFrom' | 'upload' | 'modelId' | 'retired'> {
  readonly model: ModelName;
  readonly modelId: string;
  readonly number: number;
  readonly status: 'active' | 'retired' | 'deleted';
  /** ISO 8601, UTC. */
  readonly publishedAt: string;
  readonly publishedBy: string;
  /** Stage that it is in, where somebody has put it in one. */
  readonly stage?: string;
  /** Aliases that name this version now, sorted. */
  readonly aliases: readonly string[];
  /** Set when a label of the metadata was already taken by another version. */
  readonly labelShadowed?: boolean;
  /** The model card, where somebody wrote another than that of the package. Markdown. */
  readonly card?: string;
}

/** Slim facts of a version, enough for `ls` and resolution. Kept in heads. */
export interface VersionSlim {
  readonly number: number;
  readonly manifest: Digest;
  readonly label?: string;
  readonly status: VersionRecord['status'];
  readonly publishedAt: string;
  /** When the model was made, where that was before it was published. */
  readonly createdAt?: string;
  readonly flavor: string;
  readonly sizeBytes: number;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly stage?: string;
}

/** A model in a listing. */
export interface ModelSummary {
  readonly name: ModelName;
  readonly id: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly description?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly aliases: Readonly<Record<string, number>>;
  /** Number of versions that are not deleted. */
  readonly versions: number;
  /** The newest version that is not retired or deleted. */
  readonly latest?: VersionSlim;
}

/** A model with all its versions, newest first. */
export interface ModelView extends ModelSummary {
  readonly all: readonly VersionSlim[];
}

/** One event, for people. */
export interface HistoryEntry {
  readonly seq: number;
  /** Digest of the event's head. */
  readonly digest: Digest;
  readonly at: string;
  readonly actor: string;
  readonly kind: string;
  /** One line: `production moved from 7 to 8`. */
  readonly summary: string;
  readonly reason?: string;
  readonly body: JsonObject;
  /** A server says: nobody has proved to be this actor. Default: nothing is said about that. */
  readonly claimed?: boolean;
}

/** What `resolve` answers: enough to load the version without asking again. */
export interface ResolvedVersion {
  readonly reference: Reference;
  readonly model: ModelName;
  readonly modelId: string;
  readonly number: number;
  readonly label?: string;
  readonly manifest: Digest;
  readonly recipe: RecipeRef;
  /** Sequence number of the log that this answer reflects. */
  readonly seq: number;
  /** Set when the store did not answer and this is what was last known: when that was, ISO 8601. */
  readonly staleSince?: string;
}

/** Options of every call of a registry. */
export interface RegistryOptions {
  readonly signal?: AbortSignal;
  /** Who does it, for the history. Default: whom the registry was opened for. */
  readonly actor?: string;
  /**
   * Writes only: the event that must be the last of the model's log, else `precondition-failed`: whoever decided on what
   * the log said then, decides again. Default: whatever was written meanwhile stands.
   */
  readonly expectedSeq?: number;
}

/** Options of publishing a version. */
export interface PublishOptions extends RegistryOptions {
  /** Aliases to point at the version, new or existing. */
  readonly aliases?: readonly string[];
  readonly reason?: string;
  /**
   * Whether only a version that has this manifest already is added to: when the newest one has another, nothing is
   * published and the error is `conflict` with `details.newest`. For callers whose recipe nothing keeps; a draft without
   * a recipe means the same. Default: false.
   */
  readonly existingOnly?: boolean;
  /** Publishes a new version also when the newest one has the same manifest; the draft needs its recipe. Default: false. */
  readonly always?: boolean;
  /**
   * The number the version gets, which must be higher than every other; the numbers between are left out and never used.
   * The same manifest as the newest one's makes a version, too. Default: the next number.
   */
  readonly number?: number;
}

/** What publishing came to. */
export interface PublishResult {
  readonly version: VersionRecord;
  /** True when the newest version not retired already had this manifest; then nothing was published, but aliases, tags and metrics were applied. */
  readonly existed: boolean;
}

/** Options of setting and removing an alias. */
export interface AliasOptions extends RegistryOptions {
  readonly reason?: string;
  /** The version the alias must name now (null: none), else `conflict`. Undefined: move whatever it names. */
  readonly expected?: number | null;
}

/** What became of an alias. */
export interface AliasMove {
  readonly alias: string;
  readonly from: number | null;
  readonly to: number | null;
}

/** Changes to what is said of a version. Null removes a tag. */
export interface VersionChanges {
  readonly description?: string;
  /** Another model card, in Markdown; an empty text gives back that of the package. */
  readonly card?: string;
  readonly tags?: Readonly<Record<string, string | null>>;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Changes to what is said of a model. Null removes a tag; an empty description removes it. */
export interface ModelChanges {
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string | null>>;
}

/** What an approval is for: that an alias may name the version, or that it may be in a stage. */
export type ApprovalPurpose = { readonly alias: string } | { readonly stage: string };

/** An approval as the log tells it. It binds to this number and manifest, in the log of this model id. */
export interface Approval {
  readonly model: ModelName;
  readonly modelId: string;
  readonly number: number;
  readonly manifest: Digest;
  readonly purpose: ApprovalPurpose;
}

/** Options of giving an approval. */
export interface ApprovalOptions extends RegistryOptions {
  readonly reason?: string;
  /** The manifest that was looked at; another one is a `conflict`. Default: whatever the version has. */
  readonly manifest?: Digest;
  /** What the approver was when it was given, where somebody checked that: `promoter`, `admin`. Default: nothing is said. */
  readonly role?: string;
}

/** Something that forbids deletion, retention and erasure. */
export interface HoldRecord {
  /** Name of the hold: `case-2026-17`. */
  readonly hold: string;
  /** Null: the whole model. */
  readonly number: number | null;
}

/** Answers which version a reference means. */
export interface VersionResolver {
  /**
   * Resolves a reference.
   * @throws IngotError `model-not-found`, `version-not-found`, `alias-not-found` (each with the nearest name), `unavailable`, `tampered`.
   */
  resolve(reference: Reference, options?: RegistryOptions): Promise<ResolvedVersion>;
}

/** What making sure of a model came to. */
export interface EnsuredModel {
  readonly id: string;
  /** Recipes of its newest three versions. */
  readonly base: readonly RecipeRef[];
  /** True when this call has made it. */
  readonly isNew: boolean;
}

/** Publishes, resolves, moves and tells history. */
export interface Registry extends VersionResolver {
  /** Streams all models that have a version, by name. */
  models(options?: RegistryOptions): AsyncIterable<ModelSummary>;
  /** Throws `model-not-found` with the nearest name. */
  model(name: ModelName, options?: RegistryOptions): Promise<ModelView>;
  version(reference: Reference, options?: RegistryOptions): Promise<VersionRecord>;
  history(name: ModelName, options?: RegistryOptions): AsyncIterable<HistoryEntry>;
  /**
   * Streams a model's events as they lie in the store: head, salt, body, sum. Their canonical JSON and a line break are
   * the bytes of their files, so that whoever has them can check the whole chain.
   * @throws IngotError `model-not-found`, `tampered`.
   */
  log(name: ModelName, options?: RegistryOptions): AsyncIterable<JsonObject>;
  /** Makes sure the model exists (appends `model-created`) and gives its id and the recipes of its newest three versions. */
  ensureModel(name: ModelName, options?: RegistryOptions): Promise<EnsuredModel>;
  /**
   * Changes what is said of a model; nothing is written when all of it is said already.
   * @throws IngotError `model-not-found`.
   */
  updateModel(
    name: ModelName,
    changes: ModelChanges,
    options?: RegistryOptions & { readonly reason?: string },
  ): Promise<ModelSummary>;
  /**
   * Begins what the first write waits for (a look at the storage's clock), while something else is done; ends when it
   * has ended, well or not. Default: the write does it.
   */
  prepareWrite?(options?: RegistryOptions): Promise<void>;
  /**
   * Publishes a version: retries until it is numbered. Publishing the newest version's manifest again returns that version.
   * @throws IngotError `label-taken` when `labelFrom` is `flag` and another version has the label.
   */
  publish(name: ModelName, draft: VersionDraft | AddedDraft, options?: PublishOptions): Promise<PublishResult>;
  update(
    reference: Reference,
    changes: VersionChanges,
    options?: RegistryOptions & { readonly reason?: string },
  ): Promise<VersionRecord>;
  setAlias(name: ModelName, alias: string, number: number, options?: AliasOptions): Promise<AliasMove>;
  /**
   * Puts a version in a stage (`Staging`, 100 characters at most), or in none; nothing is written when it is there already.
   * @throws IngotError `invalid-name` for a text that can be no stage, `version-not-found`.
   */
  setStage(
    reference: Reference,
    stage: string | null,
    options?: RegistryOptions & { readonly reason?: string },
  ): Promise<VersionRecord>;
  /**
   * Says that a version may be what an alias names, or be in a stage. Each call is an event of its own.
   * @throws IngotError `version-not-found`, `conflict` when the version has another manifest than the one given.
   */
  approve(reference: Reference, purpose: ApprovalPurpose, options?: ApprovalOptions): Promise<Approval>;
  /**
   * Takes back the approvals that the actor has given; what has moved by them stays where it is.
   * @throws IngotError as `approve` does; a server throws `not-found` where the actor has given none, a store does not look.
   */
  withdrawApproval(
    reference: Reference,
    purpose: ApprovalPurpose,
    options?: RegistryOptions & { readonly reason?: string },
  ): Promise<Approval>;
  /**
   * Forbids deletion of a model (number null) or a version of it; nothing is written when the hold is there already.
   * @throws IngotError `invalid-name` for a text that can name no hold, `conflict` when it holds something else already.
   */
  setHold(name: ModelName, hold: HoldRecord, options?: RegistryOptions & { readonly reason?: string }): Promise<void>;
  /** Ends a hold. Throws `not-found` when the model has none of this name. */
  releaseHold(name: ModelName, hold: string, options?: RegistryOptions & { readonly reason?: string }): Promise<void>;
  /** Throws `alias-not-found`. */
  removeAlias(name: ModelName, alias: string, options?: AliasOptions): Promise<AliasMove>;
  /** The version that held the alias before the current one, from the alias history; undefined when there is none. */
  previousAliasTarget(name: ModelName, alias: string, options?: RegistryOptions): Promise<number | undefined>;
  retire(reference: Reference, options?: RegistryOptions & { readonly reason?: string }): Promise<VersionRecord>;
  /** Releases a version's contents; its number is never used again. Refused (`conflict`) while an alias names it. */
  deleteVersion(reference: Reference, options?: RegistryOptions & { readonly reason?: string }): Promise<void>;
  /** Closes the model's log and removes its name. A model made again starts at version 1. */
  deleteModel(name: ModelName, options?: RegistryOptions & { readonly reason?: string }): Promise<void>;
  /** Throws `name-taken`. */
  rename(name: ModelName, newName: ModelName, options?: RegistryOptions & { readonly reason?: string }): Promise<void>;
}

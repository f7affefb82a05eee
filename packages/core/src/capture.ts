/**
 * What was known when a version was made: captured by the SDK or the command line, carried by the event, kept beside
 * the package and never inside its manifest (so that the same files give the same digest anywhere).
 */

import type { Digest } from './digest.ts';
import type { JsonValue } from './json.ts';
import type { DataProfile } from './profile.ts';
import type { Row, Signature } from './signature.ts';

/** Where the code of a version came from. */
export interface GitState {
  readonly commit: string;
  readonly branch?: string;
  readonly remote?: string;
  /** Whether the working tree had uncommitted changes. */
  readonly dirty: boolean;
  /** Digest of the uncommitted changes, as `git diff HEAD --binary` writes them; set when there were any. */
  readonly diff?: string;
}

/** Files that a version was imported or pushed from, as they lay in somebody's directory or bucket. */
export interface PlainSource {
  /** Address of just these files, without secrets. */
  readonly address: string;
  /** Another text whenever they may have been others: an ETag, a generation, size and time. */
  readonly revision: string;
  /** The storage's own name for these bytes, where it keeps versions. */
  readonly objectVersion?: string;
}

/** Data that a version was made with. */
export interface DataSource {
  readonly name: string;
  /** Of the rows, whatever their order: the same data has the same digest. */
  readonly digest?: string;
  readonly source?: string;
  readonly rows?: number;
  readonly columns?: number;
}

/** Where a version was published before it came to this registry. */
export interface VersionOrigin {
  /** Address of that registry, without secrets. */
  readonly registry: string;
  /** Id of its store, where that was known. */
  readonly store?: string;
  readonly model: string;
  readonly modelId: string;
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly publishedAt: string;
  readonly publishedBy: string;
  /** Digest of the event that published it there. */
  readonly event?: Digest;
  /** Digest of the model's history there, a content of the version here: events as they lie there, one a line. */
  readonly history?: Digest;
  /** Approvals that stood there. `purpose` is an alias (`@production`) or a stage (`Staging`). */
  readonly approvals?: readonly { readonly purpose: string; readonly by: string; readonly at: string }[];
}

/** What a version came from. */
export interface Lineage {
  readonly git?: GitState;
  readonly notebook?: string;
  readonly run?: string;
  readonly data?: readonly DataSource[];
  /** References of versions this one was made from (`fine-tuned from`). */
  readonly parents?: readonly string[];
  /** Set for what was taken from a plain address. */
  readonly source?: PlainSource;
  /** Set for what came from another registry: those it was in, the last one last. Never part of what was captured. */
  readonly origins?: readonly VersionOrigin[];
}

/** The environment a model was made in. */
export interface EnvironmentSummary {
  /** Full Python version, `3.11.7`. */
  readonly python?: string;
  /** `linux-x86_64`. */
  readonly platform?: string;
  /** One pin a line, as `requirements.txt` has them. */
  readonly requirements: readonly string[];
  /**
   * The requirements with all that they need in turn, as installed where the model was made: one pin a line, with the
   * hashes of the index's files (`--hash=sha256:…`) where these were at hand. Kept in the captured document only.
   */
  readonly lock?: readonly string[];
}

/** The document that `ingot push --captured FILE` reads and the SDK writes. Every part may be missing. */
export interface Capture {
  /** The flavor the SDK saved: `sklearn`, `function`, `onnx`. */
  readonly flavor?: string;
  /** Who made it. */
  readonly author?: string;
  readonly signature?: Signature;
  /** A few input rows and what the model answered to them, as `/predict` would. */
  readonly example?: { readonly inputs: readonly Row[]; readonly predictions?: readonly JsonValue[] };
  readonly params?: Readonly<Record<string, JsonValue>>;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly lineage?: Omit<Lineage, 'origins'>;
  readonly environment?: EnvironmentSummary;
  /** How the artifact was serialized, and whether loading it executes code. */
  readonly serializer?: { readonly name: string; readonly executesCode: boolean; readonly reason?: string };
  /** The framework's own class and version: `sklearn.ensemble._forest.RandomForestClassifier`, `1.9.1`. */
  readonly model?: { readonly class?: string; readonly framework?: string; readonly version?: string };
  /** How the training data was distributed. Kept in the captured document only. */
  readonly profile?: DataProfile;
  /** The model card as it was generated, in Markdown. Kept in the captured document only. */
  readonly card?: string;
}

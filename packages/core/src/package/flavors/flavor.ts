import type { JsonValue } from '../../json.ts';
import type { Signature } from '../../signature.ts';
import type { Flavor, Inference, Metadata, Problem } from '../package.ts';
import type { PickleSummary } from '../pickle-globals.ts';
import type { SourceFile } from '../source-file.ts';

/** What kind of package it is, found without executing anything. */
export interface FlavorFinding {
  readonly flavor: Flavor;
  /** Path of the main artifact: a file, or the folder it lies in. Missing where the whole package is the artifact. */
  readonly artifactPath?: string;
  /** The file to look into for a signature, when the artifact is a file. */
  readonly artifact?: SourceFile;
  /** What pickles at hand say of themselves, the main artifact's first. */
  readonly pickles: readonly SniffedPickle[];
  /** Requirements that the format implies: `xgboost==3.0.2` where the file says its version, else `xgboost`. */
  readonly requirements: readonly string[];
  /** Inputs and outputs, where the file itself names them. */
  readonly signature?: Signature;
  /** Modules that the package itself holds: `shop.py`, `shop/…`. An index may have others of these names. */
  readonly ownModules: ReadonlySet<string>;
  readonly executesCode: boolean;
  readonly inferred: readonly Inference[];
  readonly problems: readonly Problem[];
}

/** A pickle, and what its first bytes name. */
export interface SniffedPickle {
  readonly path: string;
  readonly summary: PickleSummary;
}

/** A package as a detector sees it. Reads are bounded; nothing is executed. */
export interface Glance {
  readonly files: readonly SourceFile[];
  /** Files that may be a model, the likeliest first. */
  readonly artifacts: readonly SourceFile[];
  readonly pickles: readonly SniffedPickle[];
  readonly metadata?: Metadata;
  /** Finds a file by its path. */
  file(path: string): SourceFile | undefined;
  /** Reads up to `sizeBytes` (at most 16 MiB) from `at`, by default the start; a negative `at` counts from the end. */
  read(file: SourceFile, sizeBytes: number, at?: number): Promise<Buffer>;
  /** Reads a small file as JSON; undefined when it is missing, larger than 4 MiB or no JSON. */
  json(path: string): Promise<JsonValue | undefined>;
}

/** What a detector recognised. */
export interface Detected {
  readonly flavor: Flavor;
  /** Path of the main artifact: a file or a folder of the package; `.` for the package itself. */
  readonly artifact: string;
  /** How it was known: `the ONNX file model.onnx`. */
  readonly from: string;
  /** Lines of requirements that the format implies. Default none. */
  readonly requirements?: readonly string[];
  /** Whether loading it executes code it carries. Default: what the extension of its files says. */
  readonly executesCode?: boolean;
  /** Inputs and outputs, where the file itself names them. */
  readonly signature?: Signature;
  /** What else was understood: class, base model, version of the format. */
  readonly understood?: readonly Inference[];
  readonly problems?: readonly Problem[];
}

/** Recognises packages of one family by names and first bytes: parses, never loads. Undefined: it is none of them. */
export type Detector = (glance: Glance) => Promise<Detected | undefined> | Detected | undefined;

import { resolve } from 'node:path';
import type { Capture } from '../capture.ts';
import { type ErrorCode, IngotError, isIngotError } from '../errors.ts';
import type { JsonValue } from '../json.ts';
import type { OnProgress } from '../progress.ts';
import { findContradictions } from './contradictions.ts';
import { findEnvironment } from './environment.ts';
import { adaptedFiles, adaptedInferences, isReplaced } from './foreign/adapt.ts';
import type { ForeignPackage } from './foreign/open-foreign.ts';
import { findFlavor } from './flavors/find-flavor.ts';
import type { HashMemory } from './hash-memory.ts';
import { hashPackage } from './hash-package.ts';
import { checkInterface } from './interface-check.ts';
import { locateFiles } from './locate.ts';
import {
  type BuiltManifest,
  buildManifest,
  type HashedLayer,
  MAX_MANIFEST_BYTES,
  type PackageFacts,
} from './manifest.ts';
import { type MetadataResult, parseMetadata } from './metadata-yaml.ts';
import { findNames } from './naming.ts';
import type { Inference, Metadata, PackageFile, PackagePlan, Problem } from './package.ts';
import { type PartTexts, readPartTexts } from './part-texts.ts';
import { findParts, type Parts } from './parts.ts';
import { chooseSignature } from './signature-choice.ts';
import type { Signature } from '../signature.ts';
import { readSource, type SourceFile } from './source-file.ts';

/** What reading a package may be told. */
export interface ReadOptions {
  /** Model name. Default: from the metadata, else from the file or directory name. */
  readonly name?: string;
  /** Label. Default: `version` of the metadata. */
  readonly label?: string;
  /** What was known when the model was made. Default: nothing. */
  readonly captured?: Capture;
  /** What another system wrote, opened; its `path` is what is read. Default: the path is read as it is. */
  readonly foreign?: ForeignPackage;
  /** Remembers the digests of files, so that those that were not touched since are not read again. Default: nothing is remembered. */
  readonly hashes?: HashMemory;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** A package before its files are read: what they are, what was declared and inferred. */
export interface PackageDraft {
  readonly name: PackagePlan['name'];
  readonly displayName?: string;
  readonly label?: string;
  readonly labelFrom?: PackagePlan['labelFrom'];
  readonly sources: readonly SourceFile[];
  readonly sizeBytes: number;
  /** The directory or file that it is, resolved. */
  readonly root: string;
  readonly facts: PackageFacts;
  readonly metadata?: Metadata;
  /** What another system's files say of the version: metrics, tags, lineage, sample rows. */
  readonly captured?: Capture;
  readonly inferred: readonly Inference[];
  /** Warnings only. */
  readonly problems: readonly Problem[];
}

/** What was found out about a package without reading its files; the draft is missing when a problem is an error. */
export interface PackageInspection {
  readonly draft?: PackageDraft;
  readonly problems: readonly Problem[];
}

/** Everything found out about a package; the plan is missing when a problem is an error. */
export interface PackageCheck {
  readonly plan?: PackagePlan;
  readonly problems: readonly Problem[];
}

/**
 * Reads a package: what a push would store. Nothing of it is executed.
 * @throws IngotError `path-not-found`, `invalid-name`, `source-changed` or `invalid-package`; `details.problems` has all of them.
 * @example
 * const plan = await readPackage('./churn', { name: 'churn' });
 */
export async function readPackage(path: string, options: ReadOptions = {}): Promise<PackagePlan> {
  const { plan, problems } = await checkPackage(path, options);
  if (plan !== undefined) return plan;
  throw packageError(path, problems);
}

/** Finds all problems of a package at once; files are hashed only when none is an error. Throws `interrupted` only. */
export async function checkPackage(path: string, options: ReadOptions = {}): Promise<PackageCheck> {
  const { draft, problems } = await inspectPackage(path, options);
  if (draft === undefined) return { problems };
  const hashes = await options.hashes?.open(draft.root);
  const { signal, onProgress } = options;
  const checked = await completePackage(draft, () =>
    hashPackage(draft.sources, {
      ...(hashes && { hashes }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    }),
  );
  await hashes?.save();
  return checked;
}

/**
 * Looks at a package without reading its files.
 * @throws IngotError `path-not-found`, `invalid-name` or `invalid-package`; `details.problems` has all of them.
 */
export async function draftPackage(path: string, options: ReadOptions = {}): Promise<PackageDraft> {
  const { draft, problems } = await inspectPackage(path, options);
  if (draft !== undefined) return draft;
  throw packageError(path, problems);
}

/** Finds all problems that a package has before its files are read. Throws `interrupted` only. */
export async function inspectPackage(path: string, options: ReadOptions = {}): Promise<PackageInspection> {
  const { foreign } = options;
  const located = adaptedFiles(await locateFiles(foreign?.path ?? path, options.signal), foreign);
  const { parts, problems: partProblems } = findParts(located.files);
  const texts = await readPartTexts(parts);
  const { metadata, places, problems: metadataProblems } = readMetadata(parts, texts);
  const names = findNames(options, metadata, parts.metadata?.path, located.baseName);
  const finding = await findFlavor(located.files, parts, metadata, options.captured);
  const signature = await chooseSignature(
    finding,
    { metadata, places, file: parts.metadata?.path },
    options.captured,
    located.files.map(({ path }) => path),
  );
  const environment = findEnvironment(
    {
      requirements: texts.requirements ?? (parts.requirements === undefined ? undefined : ''),
      pythonVersion: texts.pythonVersion,
    },
    metadata,
    finding,
    options.captured,
    foreign?.finding.unneeded,
  );
  const problems = [
    ...located.problems,
    ...partProblems.filter((problem) => !isReplaced(problem, foreign)),
    ...(foreign?.finding.problems ?? []),
    ...texts.problems,
    ...names.problems,
    ...metadataProblems,
    ...findContradictions({ metadata, places, file: parts.metadata?.path }, options.captured),
    ...(parts.interface === undefined || texts.interface === undefined
      ? []
      : checkInterface(texts.interface, parts.interface.path)),
    ...(located.files.length === 0 ? [] : [...finding.problems, ...signature.problems, ...environment.problems]),
  ];
  if (names.name === undefined || problems.some(({ severity }) => severity === 'error')) return { problems };
  const facts: PackageFacts = {
    flavor: finding.flavor,
    interfacePath: parts.interface?.path,
    artifactPath: finding.artifactPath,
    setupPath: parts.setup?.path,
    signature: described(signature.signature, parts, foreign),
    requirements: environment.requirements,
    pythonVersion: environment.pythonVersion,
    environmentVariables: metadata?.environmentVariables ?? [],
    executesCode: finding.executesCode,
    inferred: [...finding.inferred, ...signature.inferred, ...environment.inferred],
  };
  const { name, displayName, label, labelFrom } = names;
  return {
    problems,
    draft: {
      name,
      displayName,
      label,
      labelFrom,
      sources: located.files,
      sizeBytes: located.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      root: resolve(foreign?.path ?? path),
      facts,
      metadata,
      ...(foreign?.finding.captured && { captured: foreign.finding.captured }),
      inferred: [...adaptedInferences(foreign), ...names.inferred, ...facts.inferred],
      problems,
    },
  };
}

/** Says whose description it is, where the metadata was written for what another system had described. */
function described(
  signature: Signature | undefined,
  { metadata }: Parts,
  foreign: ForeignPackage | undefined,
): Signature | undefined {
  const system = foreign?.finding.describedBy;
  const isWritten = foreign?.added.some(({ path }) => path === metadata?.path) === true;
  if (signature === undefined || signature.origin !== 'metadata' || system === undefined || !isWritten)
    return signature;
  return { ...signature, system };
}

/** Turns the errors among problems into one error that says them all. */
export function packageError(path: string, problems: readonly Problem[]): IngotError {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  const lines = errors.map((problem) => `  ${placeOf(problem)}${problem.message}`);
  const message =
    errors.length === 1
      ? `${placeOf(first)}${first?.message}`
      : `${path} has ${errors.length} problems:\n${lines.join('\n')}`;
  return new IngotError(codeOf(first), message, {
    operation: 'package.read',
    hint: errors.length === 1 && first?.fix !== undefined ? first.fix : `ingot validate ${path}`,
    details: { problems: problems.map(toJson) },
  });
}

function placeOf(problem: Problem | undefined): string {
  if (problem?.file === undefined) return '';
  return problem.line === undefined ? `${problem.file}: ` : `${problem.file}:${problem.line}: `;
}

function codeOf(problem: Problem | undefined): ErrorCode {
  switch (problem?.rule) {
    case 'package.not-found':
      return 'path-not-found';
    case 'package.source-changed':
      return 'source-changed';
    case 'name.invalid':
    case 'label.invalid':
      return 'invalid-name';
    default:
      return 'invalid-package';
  }
}

function toJson(problem: Problem): JsonValue {
  return Object.fromEntries(Object.entries(problem).filter(([, value]) => value !== undefined));
}

/** A `metadata.json` may belong to something else, so what is wrong with it is only a warning. */
function readMetadata(parts: Parts, texts: PartTexts): MetadataResult {
  if (parts.metadata === undefined || texts.metadata === undefined) return { problems: [] };
  const result = parseMetadata(texts.metadata, parts.metadata.path);
  if (!parts.metadata.path.endsWith('.json')) return result;
  const failed = result.problems.some(({ severity }) => severity === 'error');
  return {
    ...(failed ? {} : { metadata: result.metadata, places: result.places }),
    problems: result.problems.map((problem) => ({ ...problem, severity: 'warning' as const })),
  };
}

/**
 * Makes the plan of a package whose files are read now.
 * @param read hashes the files; its `source-changed` and unreadable files become problems, what else it throws is thrown.
 */
export async function completePackage(
  draft: PackageDraft,
  read: () => Promise<readonly HashedLayer[]>,
): Promise<PackageCheck> {
  let layers: readonly HashedLayer[];
  try {
    layers = await read();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    return { problems: [...draft.problems, problem] };
  }
  const built = buildManifest(layers, draft.facts, draft.metadata);
  if (built.manifest.length > MAX_MANIFEST_BYTES) return { problems: [...draft.problems, MANIFEST_TOO_LARGE] };
  return { problems: draft.problems, plan: planOf(draft, layers, built) };
}

const MANIFEST_TOO_LARGE: Problem = {
  severity: 'error',
  rule: 'package.manifest-too-large',
  message: 'the manifest would be larger than 4 MB',
  fix: 'shorten the metadata or put the files into fewer folders',
};

/** What reading a file found wrong with the package. */
function problemOf(error: unknown): Problem | undefined {
  if (!isIngotError(error, 'source-changed', 'invalid-package')) return undefined;
  const file = error.details.path;
  return {
    severity: 'error',
    rule: error.code === 'source-changed' ? 'package.source-changed' : 'path.unreadable',
    message: error.message,
    ...(typeof file === 'string' ? { file } : {}),
    fix: error.hint,
  };
}

function planOf(draft: PackageDraft, layers: readonly HashedLayer[], built: BuiltManifest): PackagePlan {
  const { name, displayName, label, labelFrom, sources, sizeBytes, facts, metadata, inferred, problems } = draft;
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const files = layers
    .flatMap((layer) => (layer.kind === 'raw' ? [layer.file] : layer.files))
    .map((file): PackageFile => {
      const source = byPath.get(file.path);
      return { ...file, open: () => (source === undefined ? nothing() : readSource(source)) };
    });
  return { name, displayName, label, labelFrom, ...facts, files, sizeBytes, metadata, inferred, problems, ...built };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

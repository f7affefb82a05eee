import type { Capture } from '@ingot/core/capture';
import type { JsonValue } from '@ingot/core/json';
import { canonicalJson } from '@ingot/core/json';
import type { PackageDescription } from '@ingot/core/package/package';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Signature } from '@ingot/core/signature';
import { betterOf } from '../output/metrics.ts';
import { compareData, type DataDifference } from './compare-profiles.ts';
import type { SignatureDifference } from './compare-signatures.ts';
import { compareSignatures } from './compare-signatures.ts';

/** A version as it is compared. */
export interface ComparedVersion {
  readonly version: Pick<VersionRecord, 'manifest' | 'signature' | 'metrics' | 'params' | 'environment' | 'lineage'>;
  readonly package: PackageDescription;
  readonly captured?: Capture | null;
}

/** A value of both sides; null where a side has none. */
export interface ValueChange {
  readonly a: JsonValue;
  readonly b: JsonValue;
}

/** Names that only B has, only A has, and that differ. */
export interface SetDifference {
  readonly added: Readonly<Record<string, JsonValue>>;
  readonly removed: Readonly<Record<string, JsonValue>>;
  readonly changed: Readonly<Record<string, ValueChange>>;
}

/** How two versions differ. */
export interface VersionDifference {
  /** `unknown`: the packages differ and a signature is missing. */
  readonly verdict: 'identical' | 'compatible' | 'breaking' | 'unknown';
  readonly breaks: readonly string[];
  readonly metrics: Readonly<
    Record<string, { readonly a: number | null; readonly b: number | null; readonly better: 'a' | 'b' | null }>
  >;
  readonly params: Readonly<Record<string, ValueChange>>;
  readonly signature: Omit<SignatureDifference, 'breaks'> | null;
  readonly environment: {
    readonly python: ValueChange | null;
    readonly platform: ValueChange | null;
    readonly requirements: SetDifference;
    /** What the requirements need in turn; empty unless both versions tell it. */
    readonly lock: SetDifference;
  };
  /** Commit, branch and uncommitted changes of the code that made them; null where no side tells any. */
  readonly code: Readonly<Record<string, ValueChange>> | null;
  readonly data: DataDifference | null;
  readonly files: SetDifference;
  /** Bytes of each, and of the files that both have. */
  readonly bytes: { readonly a: number; readonly b: number; readonly shared: number };
}

/** Compares two versions. */
export function compareVersions(a: ComparedVersion, b: ComparedVersion): VersionDifference {
  const [before, after] = [signatureOf(a), signatureOf(b)];
  const signature = before === undefined || after === undefined ? undefined : compareSignatures(before, after);
  const breaks = signature?.breaks ?? [];
  return {
    verdict: verdict(a, b, signature),
    breaks,
    metrics: compareMetrics(a.version.metrics ?? {}, b.version.metrics ?? {}),
    params: changesOf(paramsOf(a), paramsOf(b)),
    signature: signature === undefined ? null : { inputs: signature.inputs, outputs: signature.outputs },
    environment: {
      python: changeOf(pythonOf(a), pythonOf(b)),
      platform: changeOf(a.version.environment?.platform, b.version.environment?.platform),
      requirements: compareSets(requirementsOf(a), requirementsOf(b)),
      lock: compareLocks(a, b),
    },
    code: compareCode(a, b),
    data: compareData(a.captured, b.captured),
    files: compareSets(filesOf(a), filesOf(b)),
    bytes: compareBytes(a.package, b.package),
  };
}

function verdict(
  a: ComparedVersion,
  b: ComparedVersion,
  signature: SignatureDifference | undefined,
): VersionDifference['verdict'] {
  if (a.version.manifest === b.version.manifest) return 'identical';
  if (signature === undefined) return 'unknown';
  return signature.breaks.length > 0 ? 'breaking' : 'compatible';
}

function signatureOf(side: ComparedVersion): Signature | undefined {
  return side.version.signature ?? side.package.signature;
}

function compareMetrics(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): VersionDifference['metrics'] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return Object.fromEntries(
    names.map((name) => {
      const [left, right] = [a[name] ?? null, b[name] ?? null];
      return [
        name,
        { a: left, b: right, better: left === null || right === null ? null : betterOf(name, left, right) },
      ];
    }),
  );
}

function paramsOf({ version, package: described }: ComparedVersion): Readonly<Record<string, JsonValue>> {
  return { ...described.metadata?.hyperparameters, ...version.params };
}

function changesOf(
  a: Readonly<Record<string, JsonValue>>,
  b: Readonly<Record<string, JsonValue>>,
): Record<string, ValueChange> {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return Object.fromEntries(
    names.flatMap((name) => {
      const change = changeOf(a[name], b[name]);
      return change === null ? [] : [[name, change]];
    }),
  );
}

function changeOf(a: JsonValue | undefined, b: JsonValue | undefined): ValueChange | null {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null) ? null : { a: a ?? null, b: b ?? null };
}

function pythonOf({ version, package: described }: ComparedVersion): string | undefined {
  return version.environment?.python ?? described.pythonVersion;
}

function compareCode(a: ComparedVersion, b: ComparedVersion): VersionDifference['code'] {
  const [before, after] = [a.version.lineage?.git, b.version.lineage?.git];
  return before === undefined && after === undefined ? null : changesOf({ ...before }, { ...after });
}

function compareLocks(a: ComparedVersion, b: ComparedVersion): SetDifference {
  const [before, after] = [a.captured?.environment?.lock, b.captured?.environment?.lock];
  const known = before !== undefined && after !== undefined;
  return known ? compareSets(pinsOf(before), pinsOf(after)) : { added: {}, removed: {}, changed: {} };
}

/** Name and version of each line of a lock; that an index offers other files for a version makes no difference here. */
function pinsOf(lock: readonly string[]): ReadonlyMap<string, JsonValue> {
  return new Map(
    lock.map((line) => {
      const [pin = ''] = line.split(/\s/, 1);
      const [name = '', version = ''] = pin.split('==');
      return [name.toLowerCase().replace(/[._-]+/g, '-'), `==${version}`];
    }),
  );
}

function compareBytes(a: PackageDescription, b: PackageDescription): VersionDifference['bytes'] {
  const digests = new Set(a.files.map(({ digest }) => digest));
  const sizeOf = (files: PackageDescription['files']): number =>
    files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    a: sizeOf(a.files),
    b: sizeOf(b.files),
    shared: sizeOf(b.files.filter(({ digest }) => digests.has(digest))),
  };
}

/** Splits each requirement into its name and the rest: `numpy` and `==2.4.6`. */
function requirementsOf({ version, package: described }: ComparedVersion): ReadonlyMap<string, JsonValue> {
  const lines = described.requirements.length > 0 ? described.requirements : (version.environment?.requirements ?? []);
  return new Map(
    lines.flatMap((line) => {
      const match = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*?)\s*(?:#.*)?$/.exec(line);
      return match?.[1] === undefined ? [] : [[match[1].toLowerCase().replace(/[._-]+/g, '-'), match[2] ?? '']];
    }),
  );
}

function filesOf({ package: described }: ComparedVersion): ReadonlyMap<string, JsonValue> {
  return new Map(described.files.map((file) => [file.path, { digest: file.digest, sizeBytes: file.sizeBytes }]));
}

function compareSets(a: ReadonlyMap<string, JsonValue>, b: ReadonlyMap<string, JsonValue>): SetDifference {
  const changed = [...a].flatMap(([name, value]) => {
    const other = b.get(name);
    const change = other === undefined ? null : changeOf(value, other);
    return change === null ? [] : [[name, change] as const];
  });
  return {
    added: Object.fromEntries([...b].filter(([name]) => !a.has(name))),
    removed: Object.fromEntries([...a].filter(([name]) => !b.has(name))),
    changed: Object.fromEntries(changed),
  };
}

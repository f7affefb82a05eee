import type { Capture } from '@ingot/core/capture';
import type { JsonValue } from '@ingot/core/json';
import type { FeatureProfile } from '@ingot/core/profile';

/** How far a column's distribution moved from A to B. */
export interface FeatureDrift {
  /** Population stability index: 0 for the same distribution; above 0.25 people speak of a shift. */
  readonly psi: number;
  /** What the index says beyond what samples of these sizes differ by chance. */
  readonly level: 'same' | 'moved' | 'shifted';
  readonly missing: { readonly a: number | null; readonly b: number | null };
}

/** How the training data of two versions differs. */
export interface DataDifference {
  /** Whether both were trained on the same rows; null where that is not known. */
  readonly same: boolean | null;
  readonly rows: { readonly a: number | null; readonly b: number | null };
  /** Columns that both have, by name, where their distributions are known. */
  readonly features: Readonly<Record<string, FeatureDrift>>;
  readonly target: Readonly<Record<string, FeatureDrift>>;
}

/** Index from which a distribution moved, and from which it shifted. */
const MOVED = 0.1;
const SHIFTED = 0.25;
/** Finer histograms would see differences in what is only chance. */
const MAX_BINS = 10;
/** Shares below this count as this: the logarithm of nothing is not a number. */
const LEAST_SHARE = 1e-4;

/** Compares what was captured of training data; null when neither version tells any. */
export function compareData(a: Capture | null | undefined, b: Capture | null | undefined): DataDifference | null {
  const [before, after] = [a?.profile, b?.profile];
  const [first, second] = [a?.lineage?.data?.[0], b?.lineage?.data?.[0]];
  if (before === undefined && after === undefined && first === undefined && second === undefined) return null;
  const known = first?.digest !== undefined && second?.digest !== undefined;
  const counts = [before?.profiledRows ?? before?.rows ?? 0, after?.profiledRows ?? after?.rows ?? 0] as const;
  return {
    same: known ? first.digest === second.digest : null,
    rows: { a: before?.rows ?? first?.rows ?? null, b: after?.rows ?? second?.rows ?? null },
    features: driftOf(before?.features, after?.features, counts),
    target: driftOf(before?.target, after?.target, counts),
  };
}

function driftOf(
  a: readonly FeatureProfile[] = [],
  b: readonly FeatureProfile[] = [],
  counts: readonly [number, number],
): Record<string, FeatureDrift> {
  const others = new Map(b.map((feature) => [feature.name, feature]));
  return Object.fromEntries(
    a.flatMap((feature) => {
      const other = others.get(feature.name);
      const drift = other === undefined ? undefined : drifted(feature, other, counts);
      return drift === undefined ? [] : [[feature.name, drift]];
    }),
  );
}

function drifted(a: FeatureProfile, b: FeatureProfile, [first, second]: readonly [number, number]) {
  const shares = sharesOf(a, b);
  if (shares === undefined) return undefined;
  const psi = shares.reduce((sum, [left, right]) => {
    const [x, y] = [Math.max(left, LEAST_SHARE), Math.max(right, LEAST_SHARE)];
    return sum + (x - y) * Math.log(x / y);
  }, 0);
  // Two samples of one distribution differ by this much on average.
  const chance = first > 0 && second > 0 ? (shares.length - 1) * (1 / first + 1 / second) : 0;
  const beyond = psi - chance;
  const level: FeatureDrift['level'] = beyond > SHIFTED ? 'shifted' : beyond > MOVED ? 'moved' : 'same';
  return { psi: Number(psi.toPrecision(4)), level, missing: { a: a.missing ?? null, b: b.missing ?? null } };
}

type Shares = readonly (readonly [a: number, b: number])[];

/** Shares of rows in the same cells on both sides, missing values as one of them. */
function sharesOf(a: FeatureProfile, b: FeatureProfile): Shares | undefined {
  const cells = a.values && b.values ? valueShares(a, b) : a.edges && b.edges ? binShares(a, b) : undefined;
  if (cells === undefined) return undefined;
  const [gapA, gapB] = [a.missing ?? 0, b.missing ?? 0];
  const known = cells.map(([left, right]) => [left * (1 - gapA), right * (1 - gapB)] as const);
  return gapA === 0 && gapB === 0 ? known : [...known, [gapA, gapB]];
}

function valueShares(a: FeatureProfile, b: FeatureProfile): Shares {
  const [left, right] = [shareByValue(a), shareByValue(b)];
  return [...new Set([...left.keys(), ...right.keys()])].map((key) => [left.get(key) ?? 0, right.get(key) ?? 0]);
}

function shareByValue({ values = [], other = 0 }: FeatureProfile): ReadonlyMap<string, number> {
  const total = values.reduce((sum, [, rows]) => sum + rows, other);
  const key = (value: JsonValue): string => `${typeof value}:${String(value)}`;
  return new Map([...values.map(([value, rows]) => [key(value), rows / total] as const), ['other', other / total]]);
}

function binShares(a: FeatureProfile, b: FeatureProfile): Shares {
  const edges = coarser(a.edges ?? []);
  const [before, after] = [cumulative(a), cumulative(b)];
  const [left, right] = [edges.map(before), edges.map(after)];
  return [...edges, Number.POSITIVE_INFINITY].map((_, at) => [
    (left[at] ?? 1) - (at === 0 ? 0 : (left[at - 1] ?? 0)),
    (right[at] ?? 1) - (at === 0 ? 0 : (right[at - 1] ?? 0)),
  ]);
}

function coarser(edges: readonly number[]): readonly number[] {
  const step = Math.ceil((edges.length + 1) / MAX_BINS);
  return edges.filter((_, at) => (at + 1) % step === 0);
}

/** The share of rows below a number; between edges rows are taken to lie evenly, beyond them as in a bin of usual width. */
function cumulative({ edges = [], counts = [] }: FeatureProfile): (value: number) => number {
  const total = counts.reduce((sum, rows) => sum + rows, 0);
  const [first = 0, last = 0] = [edges[0], edges.at(-1)];
  const width = Math.max((last - first) / Math.max(1, edges.length - 1), Math.abs(last) * 1e-3, 1e-12);
  const borders = [first - width, ...edges, last + width];
  return (value) => {
    let below = 0;
    for (const [at, rows] of counts.entries()) {
      const [from = 0, to = 0] = [borders[at], borders[at + 1]];
      if (value >= to) below += rows;
      else return total === 0 ? 0 : (below + (rows * Math.max(0, value - from)) / (to - from)) / total;
    }
    return 1;
  };
}

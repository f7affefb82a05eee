/**
 * A *profile* says how training data was distributed, so that later data can be compared with it: never a row, never
 * a least or greatest value, and no cell that fewer than {@link SMALLEST_CELL} rows share.
 */

/** Cells (bins of a histogram, values of a column) with fewer rows than this are merged or left out. */
export const SMALLEST_CELL = 10;

/** How one column was distributed. What was too small to tell is missing. */
export interface FeatureProfile {
  readonly name: string;
  /** As the frame or array said it: `float32`, `category`, `object`. */
  readonly dtype?: string;
  /** Share of rows without a value, 0 to 1; fewer than five such rows count as five. */
  readonly missing?: number;
  /** Number of different values, rounded to two digits above 100. */
  readonly distinct?: number;
  readonly mean?: number;
  readonly std?: number;
  /** Values at 5, 25, 50, 75 and 95 percent, rounded. */
  readonly quantiles?: readonly number[];
  /** Rising borders between the bins of a histogram; the outer bins are open. */
  readonly edges?: readonly number[];
  /** Rows a bin, one more than there are edges. */
  readonly counts?: readonly number[];
  /** The most frequent values with their numbers of rows, most frequent first. */
  readonly values?: readonly (readonly [value: string | number | boolean, rows: number])[];
  /** Rows with any other value. */
  readonly other?: number;
}

/** What is known of the data a model was trained on. */
export interface DataProfile {
  readonly rows: number;
  readonly columns: number;
  /** Rows that distributions were taken from, where not all were. */
  readonly profiledRows?: number;
  /** Columns of which no distribution was kept, because there are so many. */
  readonly omitted?: number;
  readonly features?: readonly FeatureProfile[];
  /** The distribution of what is predicted. */
  readonly target?: readonly FeatureProfile[];
}

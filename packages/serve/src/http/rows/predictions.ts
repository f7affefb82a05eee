import { IngotError } from '@ingot/core/errors';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { elementTexts, isBytes } from '../tensors/to-json.ts';

/** A model's answer as JSON text, one entry a row. */
export interface PredictionText {
  /** A JSON list. */
  readonly predictions: string;
  /** A JSON list beside it, for outputs that name their classes. */
  readonly labels?: string;
}

/**
 * Writes output tensors as one entry a row: a scalar for one output, an object by output name for several. Outputs of
 * class indices add the names of their classes as `labels`. Values are never rescaled.
 * @throws IngotError `model-failed` when an output has not one entry a row.
 */
export function predictionsToJson(
  outputs: readonly Tensor[],
  features: readonly Feature[],
  rows: number,
): PredictionText {
  const columns = outputs.map((tensor) =>
    columnOf(
      tensor,
      features.find((feature) => feature.name === tensor.name),
      rows,
    ),
  );
  const labelled = columns.filter((column) => column.labels !== undefined);
  const predictions = list(columns, rows, (column) => column.cells);
  return labelled.length === 0
    ? { predictions }
    : { predictions, labels: list(labelled, rows, (column) => column.labels ?? [], columns.length > 1) };
}

interface Column {
  readonly name: string;
  readonly cells: readonly string[];
  readonly labels?: readonly string[];
}

function list(
  columns: readonly Column[],
  rows: number,
  cellsOf: (column: Column) => readonly string[],
  named = columns.length > 1,
): string {
  const [only] = columns;
  if (!named && only !== undefined) return `[${cellsOf(only).join(',')}]`;
  const parts = columns.map((column) => ({ key: JSON.stringify(column.name), cells: cellsOf(column) }));
  const entries = Array.from(
    { length: rows },
    (_, row) => `{${parts.map(({ key, cells }) => `${key}:${cells[row]}`).join(',')}}`,
  );
  return `[${entries.join(',')}]`;
}

function columnOf(tensor: Tensor, feature: Feature | undefined, rows: number): Column {
  const { texts } = elementTexts(tensor);
  const cells = cellsOf(tensor, feature, texts, rows);
  const classes = feature?.classes;
  return classes === undefined || cells !== texts
    ? { name: tensor.name, cells }
    : { name: tensor.name, cells, labels: labelsOf(tensor, classes) };
}

function cellsOf(
  tensor: Tensor,
  feature: Feature | undefined,
  texts: readonly string[],
  rows: number,
): readonly string[] {
  if (tensor.shape[0] !== rows) {
    if (rows === 1) return [nested(texts, tensor.shape, 0, 0)];
    throw new IngotError(
      'model-failed',
      `the model answered "${tensor.name}" of shape [${tensor.shape.join(', ')}] to ${rows} rows`,
    );
  }
  if (texts.length === rows && isScalar(tensor, feature)) return texts;
  const inner = tensor.shape.slice(1);
  const size = inner.reduce((product, length) => product * length, 1);
  return Array.from({ length: rows }, (_, row) => nested(texts, inner, 0, row * size));
}

/** A column vector is a scalar a row, unless its signature lets the second dimension vary. */
function isScalar(tensor: Tensor, feature: Feature | undefined): boolean {
  if (tensor.shape.length === 1) return true;
  return tensor.shape.length === 2 && (feature?.type !== 'tensor' || feature.shape?.[1] === 1);
}

function nested(texts: readonly string[], shape: readonly number[], axis: number, start: number): string {
  if (axis === shape.length) return texts[start] ?? 'null';
  const step = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const parts = Array.from({ length: shape[axis] ?? 0 }, (_, index) =>
    nested(texts, shape, axis + 1, start + index * step),
  );
  return `[${parts.join(',')}]`;
}

/** The name of each class index; a value that is no index stands for itself. */
function labelsOf(tensor: Tensor, classes: readonly (string | number | boolean)[]): readonly string[] {
  const values: ArrayLike<unknown> = isBytes(tensor.data) ? tensor.data : Array.from(tensor.data, Number);
  return Array.from(values, (value) => JSON.stringify((typeof value === 'number' ? classes[value] : value) ?? null));
}

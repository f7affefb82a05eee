import { IngotError } from '@ingot/core/errors';
import type { Datatype } from '@ingot/core/signature';
import type { Tensor } from '@ingot/core/serving/tensor';
import { describeValue } from '../describe-value.ts';
import { type ElementSink, elementSink } from './element.ts';

/**
 * Makes a tensor of the `data` of a JSON request, which may be flat or nested, row-major.
 * @param count Elements of `shape`, as {@link elementCount} gives them.
 * @throws IngotError `invalid-request` when the data disagrees with shape or datatype.
 */
export function tensorFromJson(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  count: number,
  data: unknown,
): Tensor {
  if (!Array.isArray(data)) throw new IngotError('invalid-request', `tensor "${name}" needs "data": a list`);
  const nested = shape.length > 1 && Array.isArray(data[0]);
  if (!nested && data.length !== count) throw wrongCount(name, shape, count, `${data.length} given`);
  // The walk checks every level's length before it goes down, so a huge shape costs no more than the data that is there.
  if (nested) assertNesting(name, shape, count, data, 0);
  const sink = elementSink(datatype, count);
  if (nested) putNested(sink, data, 0, { name, datatype });
  else putFlat(sink, data, 0, { name, datatype });
  return { name, datatype, shape, data: sink.data };
}

interface About {
  readonly name: string;
  readonly datatype: Datatype;
}

function assertNesting(name: string, shape: readonly number[], count: number, data: unknown, axis: number): void {
  if (!Array.isArray(data))
    throw wrongCount(name, shape, count, `${describeValue(data)} stands where a list of ${shape[axis]} should`);
  if (data.length !== shape[axis])
    throw wrongCount(name, shape, count, `a list of ${data.length} stands where one of ${shape[axis]} should`);
  if (axis + 1 === shape.length) return;
  for (const inner of data) assertNesting(name, shape, count, inner, axis + 1);
}

function putNested(sink: ElementSink, data: readonly unknown[], start: number, about: About): number {
  if (!Array.isArray(data[0])) return putFlat(sink, data, start, about);
  let index = start;
  for (const inner of data) if (Array.isArray(inner)) index = putNested(sink, inner, index, about);
  return index;
}

function putFlat(sink: ElementSink, data: readonly unknown[], start: number, about: About): number {
  for (let index = 0; index < data.length; index += 1) {
    if (!sink.put(start + index, data[index])) {
      throw new IngotError(
        'invalid-request',
        `tensor "${about.name}" holds ${describeValue(data[index])} at index ${start + index}, which is no ${about.datatype}`,
      );
    }
  }
  return start + data.length;
}

function wrongCount(name: string, shape: readonly number[], count: number, found: string): IngotError {
  return new IngotError(
    'invalid-request',
    `tensor "${name}" of shape [${shape.join(', ')}] needs ${count} elements: ${found}`,
  );
}

import type { Inference, Problem } from '@ingot/core/package/package';
import { formatTable } from './table.ts';
import type { Output } from './terminal.ts';
import { plain } from './terminal.ts';

/** Writes problems of a package, each with its place and what to do. */
export function formatProblems(problems: readonly Problem[], { colors }: Output): string {
  return problems
    .map((problem) => {
      const mark = problem.severity === 'error' ? colors.red('error') : colors.yellow('warning');
      const fix = problem.fix === undefined ? '' : `  ${colors.dim('fix')}  ${plain(problem.fix)}\n`;
      return `${mark}  ${placeOf(problem)}${problem.message.split('\n').map(plain).join('\n  ')}\n${fix}`;
    })
    .join('');
}

function placeOf({ file, line, column }: Problem): string {
  if (file === undefined) return '';
  return `${[plain(file), line, column].filter((part) => part !== undefined).join(':')}  `;
}

/** Writes what nobody wrote down, and how it was found out. */
export function formatInferred(inferred: readonly Inference[], output: Output): string {
  const rows = inferred.map(({ what, value, from }) => [what, plain(value), output.colors.dim(plain(from))]);
  if (rows.length === 0) return '';
  const width = output.isTerminal ? output.columns : Number.POSITIVE_INFINITY;
  return `${output.colors.dim('INFERRED')}\n${formatTable([{ title: '' }, { title: '' }, { title: '' }], rows, { width, colors: output.colors, header: false })}`;
}

import type { Value } from './expression.ts';

/** Reads `true`, `false`, 1 or 0 as 1 or 0; undefined for anything else. */
export function parseTruth({ text }: Value): 0 | 1 | undefined {
  if (/^(?:true|yes|1)$/i.test(text)) return 1;
  return /^(?:false|no|0)$/i.test(text) ? 0 : undefined;
}

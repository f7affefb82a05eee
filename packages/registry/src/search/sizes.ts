import type { Value } from './expression.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Reads a size in bytes: `4096`, `10MB` (millions), `1.5GiB`; undefined for anything else. */
export function parseSize({ text }: Value): number | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]{0,3})$/i.exec(text) ?? [];
  const factor = number === '' ? undefined : UNITS[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(number) * factor;
}

import type { Feature, Signature } from '@ingot/core/signature';
import { typeText } from '../diff/compare-signatures.ts';
import { formatTable } from './table.ts';
import type { Output } from './terminal.ts';
import { plain } from './terminal.ts';

const COLUMNS = [
  { title: '' },
  { title: 'FEATURE' },
  { title: 'TYPE' },
  { title: 'VALUES' },
  { title: 'MISSING' },
  { title: 'ABOUT' },
];
const ORIGINS: Readonly<Record<Signature['origin'], string>> = {
  metadata: 'written by hand',
  graph: 'from the model itself',
  captured: 'from the fitted model',
};

/** Writes a signature as a table: inputs, then outputs. */
export function signatureTable(signature: Signature, output: Output): string {
  const rows = [
    ...signature.inputs.map((feature) => featureRow('in', feature)),
    ...signature.outputs.map((feature) => featureRow('out', feature)),
  ];
  return formatTable(COLUMNS, rows, {
    width: output.isTerminal ? output.columns : Number.POSITIVE_INFINITY,
    colors: output.colors,
  });
}

/** Says where a signature was read. */
export function signatureOrigin(signature: Signature): string {
  const from = signature.system === undefined ? ORIGINS[signature.origin] : `from ${plain(signature.system)}`;
  return signature.partial === true ? `${from}, partial` : from;
}

function featureRow(side: string, feature: Feature): string[] {
  const missing = feature.nullable === undefined ? '' : feature.nullable ? 'allowed' : 'refused';
  return [side, plain(feature.name), typeText(feature), values(feature), missing, plain(feature.description ?? '')];
}

function values(feature: Feature): string {
  const named = feature.categories ?? feature.classes;
  if (named !== undefined) return plain(shortList(named.map(String)));
  if (feature.min === undefined && feature.max === undefined) return '';
  return `${feature.min ?? '…'} to ${feature.max ?? '…'}`;
}

function shortList(items: readonly string[]): string {
  const shown = items.slice(0, 5).join(', ');
  return items.length > 5 ? `${shown}, … (${items.length})` : shown;
}

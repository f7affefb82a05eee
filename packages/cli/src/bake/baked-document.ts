import type { BakedImage, BakedLayer, BakeResult } from '@ingot/core/deploy/bake-result';
import { formatPlatform } from '@ingot/core/oci/platform';
import type { Context } from '../context.ts';
import { formatTable } from '../output/table.ts';
import { formatBytes } from '../output/units.ts';

/** What is told of a bake besides its result. */
export interface BakeNote {
  /** What others call the image. */
  readonly called: string;
  readonly seconds: number;
}

/** The document of `ingot bake --json`. */
export function bakedDocument(result: BakeResult, { called, seconds }: BakeNote) {
  return {
    image: called,
    digest: result.digest,
    images: result.images.map(({ platform, ...image }) => ({ platform: formatPlatform(platform), ...image })),
    bytes: { new: result.newBytes, stored: result.storedBytes },
    seconds: Number(seconds.toFixed(3)),
  };
}

const PUT = { created: 'new', mounted: 'lent', exists: 'there' } as const;

const COLUMNS = [{ title: 'layer' }, { title: 'size', align: 'right' as const }, { title: '' }];

/** What is told to people. */
export function bakedSummary(result: BakeResult, { called, seconds }: BakeNote, { terminal }: Context): string {
  const { out } = terminal;
  const { newBytes, storedBytes } = result;
  const moved = `${formatBytes(newBytes)} new, ${formatBytes(storedBytes)} already there, in ${seconds.toFixed(1)} s`;
  const images = result.images.map((image) => layersOf(image, result.images.length > 1, terminal));
  return `${out.colors.bold(called)}\n${result.digest}\n${images.join('')}${moved}\n`;
}

function layersOf({ platform, layers, base }: BakedImage, isNamed: boolean, { out }: Context['terminal']): string {
  const rows = layers.map((layer) => [`  ${titleOf(layer, base?.name)}`, formatBytes(layer.sizeBytes), PUT[layer.put]]);
  return `${isNamed ? `${formatPlatform(platform)}\n` : ''}${formatTable(COLUMNS, rows, { width: out.columns, colors: out.colors, header: false })}`;
}

function titleOf({ name, title }: BakedLayer, base: string | undefined): string {
  return name === 'base' ? `base ${base ?? ''}`.trim() : (title ?? name);
}

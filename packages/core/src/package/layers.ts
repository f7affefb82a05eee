import { comparePaths } from './paths.ts';

/** More files than this and whole directories become one tar layer each, so that the manifest stays under 4 MB. */
export const MAX_RAW_LAYERS = 1000;

/** A layer of the manifest: one file as it is, or the tar of a directory (`.`: of everything else). */
export type LayerPlan<F> =
  | { readonly kind: 'raw'; readonly file: F }
  | { readonly kind: 'tar'; readonly directory: string; readonly files: readonly F[] };

/**
 * Decides which files become layers of their own. Up to 1,000 files all do. Above, every top-level directory that
 * holds more than one file becomes one tar layer; if that still leaves more than 1,000 layers, all other files become
 * one tar layer of the directory `.`. Layers are in path order. Another limit than 1,000 gives packages another digest.
 */
export function planLayers<F extends { readonly path: string }>(
  files: readonly F[],
  limit = MAX_RAW_LAYERS,
): LayerPlan<F>[] {
  if (files.length <= limit) return files.map((file) => ({ kind: 'raw', file }));
  const groups = new Map<string, F[]>();
  for (const file of files) {
    const top = topOf(file.path);
    const members = groups.get(top);
    if (members === undefined) groups.set(top, [file]);
    else members.push(file);
  }
  const layers: LayerPlan<F>[] = [...groups].flatMap(([top, members]): LayerPlan<F>[] => {
    const isDirectory = members[0]?.path !== top;
    return isDirectory && members.length > 1
      ? [{ kind: 'tar', directory: top, files: members }]
      : members.map((file) => ({ kind: 'raw', file }));
  });
  return (layers.length <= limit ? layers : collapse(layers)).sort((a, b) => comparePaths(placeOf(a), placeOf(b)));
}

/** The path a layer carries in its annotations. */
export function placeOf(layer: LayerPlan<{ readonly path: string }>): string {
  return layer.kind === 'raw' ? layer.file.path : layer.directory;
}

function topOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}

function collapse<F extends { readonly path: string }>(layers: readonly LayerPlan<F>[]): LayerPlan<F>[] {
  const files = layers.flatMap((layer) => (layer.kind === 'raw' ? [layer.file] : layer.files));
  return [{ kind: 'tar', directory: '.', files: files.sort((a, b) => comparePaths(a.path, b.path)) }];
}

/** What a layer is for, in ModelPack's words: `weight`, `weight.config`, `code`, `doc`, `dataset`. */
export type LayerRole = 'weight' | 'weight.config' | 'code' | 'doc' | 'dataset';

const CODE = /(?:^|\/)(?:requirements[^/]*\.txt|\.python-version|[^/]+\.(?:py|sh|ipynb))$/i;
const DOCUMENTATION = /(?:^|\/)(?:(?:readme|licen[cs]e|notice|changelog|model[-_]?card)[^/]*|[^/]+\.(?:md|rst))$/i;
const DATA = /\.(?:csv|tsv|parquet|feather|arrow|jsonl)$/i;
const CONFIGURATION = /\.(?:ya?ml|json|toml|ini|cfg)$/i;

/** Says what a file is for from its path; the main artifact is always a weight. */
export function roleOf(path: string, artifactPath: string | undefined): LayerRole {
  if (path === artifactPath) return 'weight';
  if (CODE.test(path)) return 'code';
  if (DOCUMENTATION.test(path)) return 'doc';
  if (DATA.test(path)) return 'dataset';
  return CONFIGURATION.test(path) ? 'weight.config' : 'weight';
}

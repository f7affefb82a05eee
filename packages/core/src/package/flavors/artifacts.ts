import { roleOf } from '../layers.ts';
import type { Parts } from '../parts.ts';
import type { SourceFile } from '../source-file.ts';
import { FLAVOR_FILE } from './flavor-file.ts';
import { FUNCTION_FILE } from './function.ts';

const WEIGHTS = [
  '.onnx',
  '.pkl',
  '.pickle',
  '.joblib',
  '.skops',
  '.safetensors',
  '.ubj',
  '.cbm',
  '.keras',
  '.h5',
  '.pt',
  '.pth',
  '.gguf',
  '.model',
  '.bin',
];

/** Artifacts first by extension, then those called `model`, then the larger, then by path. Parts and papers are none. */
export function rankArtifacts(files: readonly SourceFile[], parts: Parts): SourceFile[] {
  const known = new Set(Object.values(parts).map((file: SourceFile | undefined) => file?.path));
  const candidates = files.filter(
    ({ path }) =>
      !known.has(path) &&
      path !== FUNCTION_FILE &&
      path !== FLAVOR_FILE &&
      !['code', 'doc', 'dataset'].includes(roleOf(path, undefined)),
  );
  const rank = ({ path }: SourceFile): number => {
    const extension = WEIGHTS.findIndex((suffix) => path.toLowerCase().endsWith(suffix));
    const configuration = roleOf(path, undefined) === 'weight.config' ? 1000 : 0;
    return configuration + (path.includes('/') ? 100 : 0) + (extension < 0 ? WEIGHTS.length : extension);
  };
  const named = ({ path }: SourceFile): number => (/(?:^|\/)model\.[^/]*$/i.test(path) ? 0 : 1);
  return candidates.sort(
    (a, b) => rank(a) - rank(b) || named(a) - named(b) || b.sizeBytes - a.sizeBytes || (a.path < b.path ? -1 : 1),
  );
}

/** A file at the root is the artifact itself; else the top folder stands in its place, unless it holds only that file. */
export function folderOf(path: string, artifacts: readonly SourceFile[]): string {
  const slash = path.indexOf('/');
  if (slash < 0) return path;
  const top = path.slice(0, slash);
  return artifacts.filter((file) => file.path.startsWith(`${top}/`)).length > 1 ? top : path;
}

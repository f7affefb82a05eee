import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/**
 * Bundles a TypeScript program for tests that need a process of their own, and gives the path of what `node` can run.
 * @param external packages that stay where they are: `directory` must then lie where they are found. Default: none.
 */
export async function compileForChild(
  program: URL,
  directory: string,
  external: readonly (string | RegExp)[] = [],
): Promise<string> {
  const file = join(directory, `${fileURLToPath(program).replace(/^.*\/|\.ts$/g, '')}.mjs`);
  const bundle = await rolldown({
    input: fileURLToPath(program),
    platform: 'node',
    external: [...external],
    transform: { target: 'node20' },
    resolve: { conditionNames: ['ingot-source', 'node', 'import'] },
  });
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
  return file;
}

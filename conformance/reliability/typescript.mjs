/**
 * Lets Node run the repository's TypeScript as it stands: `node --import` of this file, or `import` of it, then sources
 * may be imported, also by the names of packages. Types are stripped file by file and not checked.
 */
import { register } from 'node:module';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

let compiler;

/** Sees sources where packages offer them. */
export function resolve(specifier, context, next) {
  return next(specifier, { ...context, conditions: ['ingot-source', ...context.conditions] });
}

/** Strips the types of a source. */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return await next(url, context);
  compiler ??= (await import('typescript')).default;
  const { outputText } = compiler.transpileModule(await readFile(fileURLToPath(url), 'utf8'), {
    fileName: fileURLToPath(url),
    compilerOptions: {
      target: compiler.ScriptTarget.ES2022,
      module: compiler.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}

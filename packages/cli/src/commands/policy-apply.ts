import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { parseYaml } from '@ingot/core/package/yaml-tree';
import type { Context, Result } from '../context.ts';
import { count } from '../output/units.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot policy apply FILE`: sets all policies of a registry server. */
export async function run(context: Context): Promise<Result> {
  const file = context.arguments.argument(0);
  const body = await documentIn(file, context);
  const { policies } = await serverOfRegistry(context).ask('/policies', { method: 'PUT', body });
  const scopes = isJsonObject(policies) ? Object.keys(policies) : [];
  return {
    json: { policies: policies ?? {} },
    quiet: scopes,
    human: () =>
      `${count(scopes.length, 'scope')} with a policy${scopes.length === 0 ? '' : `: ${scopes.join(', ')}`}\n`,
  };
}

async function documentIn(file: string, { cwd }: Context): Promise<JsonObject> {
  const text = await readFile(resolve(cwd, file), 'utf8').catch((cause: unknown) => {
    throw new IngotError('path-not-found', `${file} cannot be read`, { cause });
  });
  const { tree, problems } = parseYaml(text, file, 'policy');
  const [problem] = problems;
  const value = tree?.value;
  if (problem === undefined && isJsonObject(value)) return value;
  const where = problem?.line === undefined ? file : `${file}:${problem.line}`;
  throw new IngotError('usage', `${where}: ${problem?.message ?? 'it has no policies'}`, {
    hint: 'ingot policy export   (shows the form)',
  });
}

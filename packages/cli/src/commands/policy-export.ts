import { formatYaml } from '@ingot/core/package/yaml-text';
import type { Context, Result } from '../context.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot policy export`: prints all policies of a registry server as YAML. */
export async function run(context: Context): Promise<Result> {
  const { policies = {} } = await serverOfRegistry(context).ask('/policies');
  return {
    json: { policies },
    quiet: typeof policies === 'object' && policies !== null ? Object.keys(policies) : [],
    human: () => formatYaml({ policies }),
  };
}

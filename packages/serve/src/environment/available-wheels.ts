import type { CommandPrefix, InstallerOptions } from './installer.ts';
import { distributionName } from './recorded-lock.ts';
import { runCommand } from './run-command.ts';
import { type EnvironmentTarget, pipPlatforms } from './target.ts';

const MOST = 24;

/**
 * Asks the index which wheels a version of a distribution has, as pip tells them when it passes them over:
 * `cp312-cp312-musllinux_1_2_x86_64`. Empty where it has none, or that cannot be learnt.
 */
export async function availableWheels(
  { name, version }: { readonly name: string; readonly version?: string },
  target: EnvironmentTarget,
  [command, ...first]: CommandPrefix,
  options: Pick<InstallerOptions, 'environment' | 'signal'>,
): Promise<readonly string[]> {
  if (version === undefined) return [];
  const args = ['download', '-vv', '--no-deps', '--dest', '/nowhere', '--only-binary', ':all:', '--no-cache-dir'];
  const [platform = 'any'] = pipPlatforms(target);
  const wanted = ['--platform', platform, '--python-version', target.python, `${name}==${version}`];
  const { environment, signal } = options;
  const call = { environment, ...(signal && { signal }) };
  const { stdout, stderr } = await runCommand(command, [...first, ...args, ...wanted], call);
  const found = new Set<string>();
  for (const [, distribution = '', is = '', tags = ''] of `${stdout}\n${stderr}`.matchAll(WHEEL))
    if (distributionName(distribution) === distributionName(name) && is === version) found.add(tags);
  return [...found].sort().slice(0, MOST);
}

/** Name, version, an optional build number, and tags of Python, ABI and platform. Source: PEP 427. */
const WHEEL =
  /\/([A-Za-z0-9._]+)-([A-Za-z0-9.!+_]+)-(?:\d[A-Za-z0-9_.]*-)?((?:[a-z0-9_.]+)-(?:[a-z0-9_.]+)-(?:[a-z0-9_.]+))\.whl/g;

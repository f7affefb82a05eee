import { redactAddress } from '@ingot/core/blob/address';
import { IngotError } from '@ingot/core/errors';
import type { Context } from '../context.ts';
import { storageVariable } from '../settings/storage-variables.ts';
import { parsePair } from '../verbs/parse.ts';
import type { DeployTarget } from './read-deployment.ts';

/**
 * Reads the variables that servers get besides (`--set K=V`).
 * @throws IngotError `usage` for what is no variable, or what would contradict what is written around it; `refused` for a
 *   secret, which does not belong into a file.
 */
export function serverVariables(target: DeployTarget, context: Context): Readonly<Record<string, string>> {
  const { arguments: given, settings } = context;
  const pairs = given.list('set').map((text) => parsePair(text, '--set'));
  for (const [name, value] of pairs) checkVariable(target, name, value);
  return { ...(settings.isOn('allow-http') && { INGOT_ALLOW_HTTP: '1' }), ...Object.fromEntries(pairs) };
}

function checkVariable(target: DeployTarget, name: string, value: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new IngotError('usage', `--set ${name}: a variable has letters, digits and "_" only`);
  if (/\p{Cc}/u.test(value)) throw new IngotError('usage', `--set ${name}: its value holds control characters`);
  if (isSecret(name) || redactAddress(value) !== value)
    throw new IngotError('refused', `--set ${name} would put a secret into a file that is not one`, {
      hint: 'put it into the secret that the servers read: docs/kubernetes.md#secrets',
    });
  const why = TAKEN.find(({ names, targets }) => names.includes(name) && targets.includes(target))?.why;
  if (why !== undefined) throw new IngotError('usage', `--set ${name} cannot be: ${why}`);
  if (/^INGOT_(?:DRAIN|LINGER)$/.test(name) && !/^\d{1,5}(?:\.\d+)?s?$/.test(value))
    throw new IngotError('usage', `--set ${name}=${value}: it is a number of seconds`);
  if (name === 'INGOT_PORT' && !(/^\d{1,5}$/.test(value) && Number(value) > 0 && Number(value) < 65_536))
    throw new IngotError('usage', `--set INGOT_PORT=${value}: it is a port, from 1 to 65535`);
}

/** Names of those whose values are never shown, and what others call theirs. */
function isSecret(name: string): boolean {
  if (name === 'INGOT_DB' || storageVariable(name)?.secret === true) return true;
  return storageVariable(name) === undefined && /(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|OTLP_HEADERS)$/i.test(name);
}

interface Taken {
  readonly names: readonly string[];
  readonly targets: readonly DeployTarget[];
  readonly why: string;
}

const ALL: readonly DeployTarget[] = ['kubernetes', 'kserve', 'compose', 'systemd'];

/** Variables that have another place, by the engine that reads the files. */
const TAKEN: readonly Taken[] = [
  { names: ['INGOT_MODELS'], targets: ALL, why: 'what is served is the first argument' },
  { names: ['INGOT_REGISTRY'], targets: ALL, why: 'the registry is that of --registry' },
  { names: ['INGOT_CACHE', 'HOME'], targets: ALL, why: 'servers may write nowhere else than where it is' },
  {
    names: ['INGOT_PORT'],
    targets: ['kubernetes', 'kserve'],
    why: 'servers there listen on 8080, and nobody else in their pod',
  },
  { names: ['INGOT_HOST'], targets: ['kubernetes', 'kserve', 'compose'], why: 'a container is asked from outside' },
  { names: ['INGOT_DRAIN', 'INGOT_LINGER'], targets: ['kserve'], why: 'KServe leaves a pod 30 seconds to stop' },
];

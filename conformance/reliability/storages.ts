import { join } from 'node:path';
import { startApache } from '../../packages/core/test/servers/apache.ts';
import { startAzurite } from '../../packages/core/test/servers/azurite.ts';
import { startFakeGcs } from '../../packages/core/test/servers/fake-gcs.ts';
import { startMoto } from '../../packages/core/test/servers/moto.ts';
import { startOpenssh } from '../../packages/core/test/servers/openssh.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';
import { workDirectory } from './command.ts';

/** A storage that runs here: its address, and the variables that a client needs. */
export interface Storage {
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Storages that let two writers of one key both believe that they made it, and why. Ingot has to refuse them. */
export const LIARS: Readonly<Record<string, string>> = {
  'S3 (moto)': 'moto looks whether a key is there before it takes its lock',
};

/** All storages that can be started on one machine, by name. */
export const STORAGES: Readonly<Record<string, () => Promise<Storage>>> = {
  directory: () => directory({}),
  'directory as a share': () => directory({ INGOT_SHARE: 'yes' }),
  'S3 (moto)': startMoto,
  'S3 (versitygw)': startVersitygw,
  'Azure (azurite)': startAzurite,
  'GCS (fake-gcs-server)': startFakeGcs,
  'WebDAV (Apache)': startApache,
  'SFTP (OpenSSH)': startOpenssh,
};

async function directory(env: Storage['env']): Promise<Storage> {
  const made = workDirectory();
  return { address: join(made.path, 'models'), env, close: async () => made[Symbol.dispose]() };
}

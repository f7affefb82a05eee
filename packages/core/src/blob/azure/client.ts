import type { ContainerClient, CpkInfo } from '@azure/storage-blob';
import type { AzureConfig } from './config.ts';

/**
 * Loads Azure's client and sets it up for one container; the library of identities is loaded only where no key and no
 * signature is given. No request is sent, and the client repeats none.
 */
export async function openAzureClient(config: AzureConfig): Promise<ContainerClient> {
  const { ContainerClient, StorageSharedKeyCredential, AnonymousCredential } = await import('@azure/storage-blob');
  const { access } = config;
  const url = `${config.serviceUrl}/${config.container}`;
  const options = { retryOptions: { maxTries: 1 }, keepAliveOptions: { enable: true } };
  if (access.kind === 'key')
    return new ContainerClient(url, new StorageSharedKeyCredential(access.account, access.key), options);
  if (access.kind === 'sas') return new ContainerClient(`${url}?${access.token}`, new AnonymousCredential(), options);
  if (access.kind === 'anonymous') return new ContainerClient(url, new AnonymousCredential(), options);
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new ContainerClient(url, new DefaultAzureCredential(), options);
}

/** What goes with every request for a blob that a key of the customer's own seals. */
export function suppliedKeyOf({ suppliedKey }: AzureConfig): { readonly customerProvidedKey?: CpkInfo } {
  if (suppliedKey === undefined) return {};
  return {
    customerProvidedKey: {
      encryptionKey: suppliedKey.base64,
      encryptionKeySha256: suppliedKey.sha256Base64,
      encryptionAlgorithm: 'AES256',
    },
  };
}

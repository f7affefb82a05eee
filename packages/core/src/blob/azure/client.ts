import type { BlobServiceClient, ContainerClient, CpkInfo } from '@azure/storage-blob';
import type { AzureConfig } from './config.ts';

/** Azure's client for one container. */
export interface AzureClient {
  readonly container: ContainerClient;
  /** Names of the account's containers, the first page of them, for whoever may list them. */
  containerNames(signal: AbortSignal): Promise<readonly string[]>;
}

/**
 * Loads Azure's client and sets it up for one container; the library of identities is loaded only where no key and no
 * signature is given. No request is sent, and the client repeats none.
 */
export async function openAzureClient(config: AzureConfig): Promise<AzureClient> {
  const service = await openService(config);
  return {
    container: service.getContainerClient(config.container),
    containerNames: async (signal) => {
      const { value } = await service.listContainers({ abortSignal: signal }).byPage().next();
      const items: readonly { readonly name: string }[] = value?.containerItems ?? [];
      return items.map(({ name }) => name);
    },
  };
}

async function openService({ access, serviceUrl }: AzureConfig): Promise<BlobServiceClient> {
  const { BlobServiceClient, StorageSharedKeyCredential, AnonymousCredential } = await import('@azure/storage-blob');
  const options = { retryOptions: { maxTries: 1 }, keepAliveOptions: { enable: true } };
  if (access.kind === 'key')
    return new BlobServiceClient(serviceUrl, new StorageSharedKeyCredential(access.account, access.key), options);
  if (access.kind === 'sas')
    return new BlobServiceClient(`${serviceUrl}?${access.token}`, new AnonymousCredential(), options);
  if (access.kind === 'anonymous') return new BlobServiceClient(serviceUrl, new AnonymousCredential(), options);
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new BlobServiceClient(serviceUrl, new DefaultAzureCredential(), options);
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

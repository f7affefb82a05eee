import type { JsonObject } from '../json.ts';

/** The secret, in the namespace of each service, that lets storage initializers in to the registry. */
export const INITIALIZER_SECRET = 'ingot-credentials';

/**
 * The cluster's `ClusterStorageContainer` for `ingot://`: KServe starts its container before the model server, with the
 * address and the directory to fill as arguments. It claims no other scheme, as which of two is taken is not defined.
 */
export function storageContainer(
  { image }: { readonly image: string },
  { registry }: { readonly registry: string },
): JsonObject & { readonly kind: string } {
  return {
    apiVersion: 'serving.kserve.io/v1alpha1',
    kind: 'ClusterStorageContainer',
    metadata: { name: 'ingot', labels: { 'app.kubernetes.io/part-of': 'ingot' } },
    spec: {
      container: {
        name: 'storage-initializer',
        image,
        command: ['ingot', 'storage-initializer'],
        env: [
          { name: 'HOME', value: '/tmp' },
          { name: 'INGOT_CACHE', value: '/tmp/ingot' },
          { name: 'INGOT_REGISTRY', value: registry },
        ],
        envFrom: [{ secretRef: { name: INITIALIZER_SECRET, optional: true } }],
        resources: {
          requests: { cpu: '100m', memory: '256Mi' },
          limits: { memory: '1Gi' },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
      supportedUriFormats: [{ prefix: 'ingot://' }],
      supportsMultiModelDownload: true,
      workloadType: 'initContainer',
    },
  };
}

import type { FindBase } from './bake-options.ts';

/** No base at all: for images that only hold files, as Kubernetes mounts them. */
export const scratchBase: FindBase = async (platform) => ({
  name: 'scratch',
  platform,
  layers: [],
  config: { env: [], labels: {} },
  configJson: {},
  facts: async () => ({ hasShell: false, hasCertificates: false, libraries: [] }),
  readLayer: async function* () {},
});

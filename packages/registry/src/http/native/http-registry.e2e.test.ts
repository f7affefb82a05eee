import { REGISTRY_CASES } from '@ingot/core/registry/conformance';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { openServerClient } from '@ingot/core/registry/http/server-client';
import { describe, test } from 'vitest';
import { trialApp } from '../testing/registry-app.ts';
import { nativeApi } from './native-api.ts';
import { NATIVE_ROUTES } from './native-routes.ts';

describe('the registry over HTTP', () => {
  for (const { name, run } of REGISTRY_CASES) {
    test(name, async () => {
      await using trial = await trialApp({ protocols: [nativeApi(NATIVE_ROUTES)] });
      const client = await openServerClient(await trial.listen(), { env: {} });
      await run({ open: () => createHttpRegistry(client) });
    });
  }
});

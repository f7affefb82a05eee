import { parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import type { NativeApp } from './native-api.ts';
import { problems, READ_PROBLEMS } from './problems.ts';
import { modelTarget } from './request-model.ts';
import { ModelNameText } from './schemas.ts';

const Stages = z.object({ stages: z.array(z.string()).readonly().describe('The first means: in none.') });

/** Routes of stages: which ones there are. */
export function stageRoutes(app: NativeApp, { governance }: Services): void {
  app.get(
    '/stages',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'listStages',
        tags: ['governance'],
        summary: 'Lists the stages of this server, for models that no narrower policy names.',
        response: { 200: Stages, ...problems() },
      },
    },
    async () => ({ stages: await governance.stages() }),
  );
  app.get(
    '/models/:name/stages',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'listModelStages',
        tags: ['governance'],
        summary: 'Lists the stages that versions of a model may be in.',
        params: z.object({ name: ModelNameText }),
        response: { 200: Stages, ...READ_PROBLEMS },
      },
    },
    async ({ params }) => ({ stages: await governance.stages(parseModelName(params.name)) }),
  );
}

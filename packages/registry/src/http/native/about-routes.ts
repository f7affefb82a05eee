import { z } from 'zod';
import type { NativeApp } from './native-api.ts';
import { problems } from './problems.ts';
import type { Services } from '../../services.ts';

const About = z.object({
  server: z.literal('ingot'),
  version: z.string(),
  api: z.literal('v1'),
  openapi: z.string().describe('Address of the OpenAPI document.'),
});

/** Routes that say what this is: `GET /api/v1`, by which a client tells a server from a plain store, and the OpenAPI document. */
export function aboutRoutes(app: NativeApp, { version }: Services): void {
  app.get(
    '',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'about',
        tags: ['about'],
        summary: 'Says what this is.',
        response: { 200: About, ...problems() },
      },
    },
    async () => ({ server: 'ingot' as const, version, api: 'v1' as const, openapi: '/api/v1/openapi.json' }),
  );
  let document: string | undefined;
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return reply.type('application/json').send(document);
  });
}

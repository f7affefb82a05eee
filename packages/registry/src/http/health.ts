import type { FastifyInstance } from 'fastify';
import type { Services } from '../services.ts';

/** Routes that say whether the server lives, whether it can work, and which release it is. */
export function healthRoutes(app: FastifyInstance, { version, database }: Services): void {
  const config = { access: 'public' } as const;
  app.get('/healthz', { config }, async (_request, reply) => reply.type('text/plain').send('OK'));
  app.get('/readyz', { config }, async () => {
    await database.index.selectFrom('logs').select('log').limit(1).execute();
    return { status: 'ready', version };
  });
}

import type { FastifyInstance } from 'fastify';
import type { ServedContents } from '../../contents/served-contents.ts';
import type { Services } from '../../services.ts';
import { blobRoutes } from './blob-routes.ts';
import { directRoutes } from './direct-routes.ts';
import { pieceRoutes } from './piece-routes.ts';

/** All routes by which contents come and go. */
export function contentRoutes(contents: ServedContents) {
  return (app: FastifyInstance, services: Services): void => {
    blobRoutes(app, services, contents);
    pieceRoutes(app, contents);
    directRoutes(app, services, contents);
  };
}

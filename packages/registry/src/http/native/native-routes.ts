import { aboutRoutes } from './about-routes.ts';
import { aliasRoutes } from './alias-routes.ts';
import { approvalRoutes } from './approvals-routes.ts';
import { conditionRoutes } from './conditions-routes.ts';
import { eventRoutes } from './event-routes.ts';
import { holdRoutes } from './holds-routes.ts';
import { lineageRoutes } from './lineage-routes.ts';
import { modelRoutes } from './model-routes.ts';
import type { NativeRoutes } from './native-api.ts';
import { policyRoutes } from './policy-routes.ts';
import { resolveRoutes } from './resolve-routes.ts';
import { retentionRoutes } from './retention-routes.ts';
import { searchRoutes } from './search-routes.ts';
import { stageRoutes } from './stages-routes.ts';
import { versionRoutes } from './version-routes.ts';

/** All routes of the native API. */
export const NATIVE_ROUTES: readonly NativeRoutes[] = [
  aboutRoutes,
  modelRoutes,
  versionRoutes,
  aliasRoutes,
  resolveRoutes,
  eventRoutes,
  searchRoutes,
  lineageRoutes,
  stageRoutes,
  policyRoutes,
  retentionRoutes,
  approvalRoutes,
  conditionRoutes,
  holdRoutes,
];

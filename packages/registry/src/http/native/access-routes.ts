import type { Access } from '../../access/access.ts';
import type { Audit } from '../../audit/audit.ts';
import { accountRoutes } from './accounts.ts';
import { auditRoutes } from './audit.ts';
import { grantRoutes } from './grants.ts';
import type { NativeRoutes } from './native-api.ts';
import { sessionRoutes } from './sessions.ts';
import { tokenRoutes } from './tokens.ts';

/** Routes of people, permission and audit. */
export function accessRoutes(access: Access, audit: Audit): readonly NativeRoutes[] {
  return [
    accountRoutes(access, audit),
    grantRoutes(access, audit),
    tokenRoutes(access, audit),
    sessionRoutes(access, audit),
    auditRoutes(audit),
  ];
}

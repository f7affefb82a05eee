import type { RouteAccess } from '../route-access.ts';

/** Experiments, runs and logged models are the whole server's: who may read the server may read all of them. */
export const READS_TRACKING: RouteAccess = { can: 'read' };

/** Who may push to the server may make and change them; deleting keeps them, restoring brings them back. */
export const WRITES_TRACKING: RouteAccess = { can: 'push' };

import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const WEBHOOK_STEPS: MigrationSteps = {};

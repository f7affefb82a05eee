import { ACCESS_VERBS } from './access-verbs.ts';
import { BAKE_VERBS } from './bake-verbs.ts';
import { CARE_VERBS } from './care-verbs.ts';
import { DEPLOY_VERBS } from './deploy-verbs.ts';
import { GOVERNANCE_VERBS } from './governance-verbs.ts';
import { MIRROR_VERBS } from './mirror-verbs.ts';
import { PACKAGE_VERBS } from './package-verbs.ts';
import { SERVE_VERBS } from './serve-verbs.ts';
import { SOURCE_VERBS } from './source-verbs.ts';
import { SERVER_VERBS } from './server-verbs.ts';
import { STORE_VERBS } from './store-verbs.ts';
import { TOOL_VERBS } from './tool-verbs.ts';
import type { VerbSpec } from './verb.ts';
import { WEBHOOK_VERBS } from './webhook-verbs.ts';

/** Every verb of this release, in the order of the help. */
export const VERBS: readonly VerbSpec[] = [
  ...PACKAGE_VERBS,
  ...SOURCE_VERBS,
  ...STORE_VERBS,
  ...GOVERNANCE_VERBS,
  ...MIRROR_VERBS,
  ...CARE_VERBS,
  ...SERVE_VERBS,
  ...SERVER_VERBS,
  ...BAKE_VERBS,
  ...DEPLOY_VERBS,
  ...ACCESS_VERBS,
  ...WEBHOOK_VERBS,
  ...TOOL_VERBS,
];

/** Words that people may try because the documentation of later releases names them. */
export const LATER_VERBS: readonly string[] = ['scan', 'sign', 'verify', 'erase'];

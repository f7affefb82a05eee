import { parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import { goalOf } from '../../governance/approvals.ts';
import { type GuardVerdict, missingOf } from '../../governance/check.ts';
import type { Services } from '../../services.ts';
import { ApprovalRecord, approvalRecord, purposeOf } from './approvals-routes.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS } from './problems.ts';
import { modelTarget, versionReference } from './request-model.ts';
import { AliasText, ModelNameText } from './schemas.ts';

const Verdict = z.object({
  condition: z.string(),
  holds: z.boolean(),
  failing: z.array(z.object({ test: z.string(), values: z.array(z.string()).readonly() })).readonly(),
});
const Check = z.object({
  model: z.string(),
  number: z.number().int(),
  alias: z.string().optional(),
  stage: z.string().optional(),
  allowed: z.boolean(),
  missing: z.array(z.string()).readonly().describe('What keeps it from moving; empty when nothing does.'),
  protections: z
    .array(
      z.object({
        scope: z.string(),
        pattern: z.string(),
        holds: z.boolean(),
        approvals: z.object({
          needed: z.number().int(),
          by: z.array(z.string()).readonly(),
          given: z.array(ApprovalRecord).readonly(),
        }),
        conditions: z.array(Verdict).readonly(),
      }),
    )
    .readonly(),
});

/** Routes that say whether something may move, and what is missing. */
export function conditionRoutes(app: NativeApp, { governance }: Services): void {
  app.get(
    '/models/:name/versions/:version/check',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'checkVersion',
        tags: ['governance'],
        summary: 'Says whether an alias may name a version, or the version be in a stage, and what is missing.',
        params: z.object({ name: ModelNameText, version: z.string().min(1).max(200) }),
        querystring: z.object({ alias: AliasText.optional(), stage: z.string().min(1).max(100).optional() }),
        response: { 200: Check, ...READ_PROBLEMS },
      },
    },
    async ({ params, query }) => {
      const purpose = purposeOf(query.alias, query.stage);
      const reference = versionReference(params.name, params.version);
      const { number, allowed, guards } = await governance.check(reference, goalOf(purpose));
      const protections = guards.map(protectionOf);
      const missing = guards.flatMap(missingOf);
      return { model: parseModelName(params.name), number, ...purpose, allowed, missing, protections };
    },
  );
}

function protectionOf({ guard: { scope, pattern, by }, holds, approvals, conditions }: GuardVerdict) {
  const { needed, given } = approvals;
  return { scope, pattern, holds, approvals: { needed, by, given: given.map(approvalRecord) }, conditions };
}

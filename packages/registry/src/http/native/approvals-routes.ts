import { IngotError } from '@ingot/core/errors';
import { parseAlias, parseModelName } from '@ingot/core/ref';
import type { ApprovalPurpose } from '@ingot/core/registry/registry';
import { z } from 'zod';
import type { GivenApproval } from '../../governance/approvals.ts';
import type { Services } from '../../services.ts';
import { actorOf } from './actor.ts';
import { expectedSeqOf } from './condition.ts';
import { sayIndexedSeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { modelTarget, versionReference } from './request-model.ts';
import { AliasText, DigestText, ModelNameText, Moment, Reason } from './schemas.ts';

const OneVersion = z.object({ name: ModelNameText, version: z.string().min(1).max(200) });
const StageText = z.string().min(1).max(100);
const Purpose = {
  alias: AliasText.optional().describe('What the version may be named by.'),
  stage: StageText.optional().describe('Or: what stage it may be in.'),
};
const Approved = z.object({
  model: z.string(),
  modelId: z.string(),
  number: z.number().int(),
  manifest: DigestText,
  alias: z.string().optional(),
  stage: z.string().optional(),
});
export const ApprovalRecord = z.object({
  seq: z.number().int(),
  number: z.number().int(),
  manifest: z.string(),
  alias: z.string().optional(),
  stage: z.string().optional(),
  by: z.string(),
  at: Moment,
  role: z.string().optional(),
  reason: z.string().optional(),
  withdrawnAt: Moment.optional().describe('When whoever gave it took it back; then it counts for nothing.'),
  vouched: z.boolean().describe('Whether a server wrote it; one that was written past it counts for nothing.'),
});

/** Routes of approvals. */
export function approvalRoutes(app: NativeApp, services: Services): void {
  giving(app, services);
  withdrawing(app, services);
  listing(app, services);
}

function giving(app: NativeApp, services: Services): void {
  const { governance } = services;
  app.post(
    '/models/:name/versions/:version/approvals',
    {
      config: { access: { handler: 'checks' } },
      schema: {
        operationId: 'approveVersion',
        tags: ['governance'],
        summary: 'Approves a version for an alias, or for a stage.',
        description: 'Binds to the number and manifest of the version, in the log of this model and no other.',
        params: OneVersion,
        body: z.strictObject({ ...Purpose, manifest: DigestText.optional(), reason: Reason.optional() }),
        response: { 201: Approved, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { alias, stage, ...given } = request.body;
      const name = parseModelName(request.params.name);
      const reference = versionReference(request.params.name, request.params.version);
      const purpose = purposeOf(alias, stage);
      const options = { ...given, actor: actorOf(request), ...expectedSeqOf(request) };
      const { purpose: _, ...approved } = await governance.approve(request.identity, { reference, purpose, options });
      await sayIndexedSeq(reply, services, name);
      return reply.status(201).send({ ...approved, ...purpose });
    },
  );
}

function withdrawing(app: NativeApp, services: Services): void {
  const { governance } = services;
  app.delete(
    '/models/:name/versions/:version/approvals',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'withdrawApproval',
        tags: ['governance'],
        summary: 'Takes back the caller’s own approval of a version; what has moved by it stays.',
        params: OneVersion,
        querystring: z.object({ ...Purpose, reason: Reason.optional() }),
        response: { 200: Approved, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { alias, stage, ...given } = request.query;
      const name = parseModelName(request.params.name);
      const reference = versionReference(request.params.name, request.params.version);
      const purpose = purposeOf(alias, stage);
      const options = { ...given, actor: actorOf(request), ...expectedSeqOf(request) };
      const asked = { reference, purpose, options };
      const { purpose: _, ...withdrawn } = await governance.withdrawApproval(request.identity, asked);
      await sayIndexedSeq(reply, services, name);
      return reply.send({ ...withdrawn, ...purpose });
    },
  );
}

function listing(app: NativeApp, { governance }: Services): void {
  app.get(
    '/models/:name/approvals',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'listApprovals',
        tags: ['governance'],
        summary: 'Lists the approvals of a model’s versions, oldest first.',
        params: z.object({ name: ModelNameText }),
        response: { 200: z.object({ items: z.array(ApprovalRecord) }), ...READ_PROBLEMS },
      },
    },
    async ({ params }) => ({ items: (await governance.approvals(parseModelName(params.name))).map(approvalRecord) }),
  );
}

/** An approval as it goes over the API. */
export function approvalRecord({ goal, isVouched, ...approval }: GivenApproval): z.output<typeof ApprovalRecord> {
  return { ...approval, vouched: isVouched, [goal.kind]: goal.name };
}

/** Reads what an approval or a check is for. Throws `invalid-request` unless it is one of the two. */
export function purposeOf(alias: string | undefined, stage: string | undefined): ApprovalPurpose {
  if (alias !== undefined && stage === undefined) return { alias: parseAlias(alias) };
  if (stage !== undefined && alias === undefined) return { stage };
  throw new IngotError('invalid-request', 'say one of the two: an alias, or a stage');
}
